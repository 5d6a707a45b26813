"""What the drivers of Oracle and SQL Server raise, told in the words that all databases share."""

import re
import ssl
from collections.abc import Iterator

from services.probes.kinds.attempt import Ended, failed, our_fault
from services.probes.kinds.network import disconnected, not_connected

# Oracle's own numbers, and those of python-oracledb for the same: 6001 and 6003 an unknown service or SID, 4011 a
# connection that ended, 4024 a time-out of a call, 6006 another name.
_ORACLE = re.compile(r"\b(ORA|DPY)-0*(\d+)")
_ORACLE_LOGIN = {("ORA", number) for number in (1017, 1005, 1045, 28000, 28001, 28002, 28009)}
_ORACLE_ABSENT = {("ORA", 12505), ("ORA", 12514), ("DPY", 6001), ("DPY", 6003)}
_ORACLE_BUSY = {
    *(("ORA", number) for number in (18, 20, 12516, 12518, 12519, 12520, 12528)),
    *(("ORA", number) for number in (1033, 1034, 1089, 1090, 12526, 12527)),
}
_ORACLE_CLOSED = {("DPY", 4011), ("ORA", 3113), ("ORA", 3114)}
_ORACLE_LATE, _ORACLE_NAME, _ORACLE_WRITES = ("DPY", 4024), ("DPY", 6006), ("ORA", 1456)

_SQL_LOGIN = {18452, 18456, 18486, 18487, 18488}
_SQL_ABSENT = {4060, 911}
_SQL_BUSY = {17142, 17809, 10928, 10929, 40197, 40501, 40613, 6005}
_SQL_ENCRYPTION = "encryption"


def oracle_fault(fault: BaseException, phase: str | None) -> Ended:
    """What python-oracledb raised in that phase means."""
    if (network := _network_fault(fault)) is not None:
        return network
    text = " ".join(str(one) for one in _causes(fault))
    numbers = {(kind, int(number)) for kind, number in _ORACLE.findall(text)}
    if _ORACLE_NAME in numbers:
        return failed("tls_name", f"The database's certificate is for other names: {fault}")
    if numbers & _ORACLE_LOGIN:
        return failed("login_refused", f"The database refuses the login: {fault}")
    if numbers & _ORACLE_ABSENT:
        return failed("query", f"There is no such database: {fault}")
    if numbers & _ORACLE_BUSY:
        return failed("busy", f"The database takes no connections now: {fault}")
    if _ORACLE_LATE in numbers:
        return failed("timeout_query", "The query took more than it may.")
    if _ORACLE_WRITES in numbers:
        return our_fault("settings", "The query would change something; only reading is allowed.")
    if numbers & _ORACLE_CLOSED:
        return disconnected(EOFError())
    return _otherwise(fault, phase)


def sql_server_fault(fault: BaseException, phase: str | None) -> Ended:
    """What python-tds raised in that phase means; it raises anything over what it can't read.

    Most faults of a login come as the cause of a TimeoutError.
    """
    numbers = {number for one in _causes(fault) if isinstance(number := getattr(one, "number", None), int)}
    if numbers & _SQL_LOGIN:
        return failed("login_refused", f"The database refuses the login: {fault}")
    if numbers & _SQL_ABSENT:
        return failed("query", f"There is no such database: {fault}")
    if numbers & _SQL_BUSY:
        return failed("busy", f"The database takes no connections now: {fault}")
    if any(type(one).__name__ == "ClosedConnectionError" for one in _causes(fault)):
        return disconnected(EOFError())
    if (network := _network_fault(fault)) is not None:
        return network
    if _SQL_ENCRYPTION in str(fault).lower():
        return failed("tls_required", "The database takes no login without TLS, which is not spoken to sqlserver here.")
    if numbers or not any("Timeout" in type(one).__name__ for one in _causes(fault)):
        return _otherwise(fault, phase)
    if phase == "query":
        return failed("timeout_query", "The query took more than it may.")
    return failed("timeout_answer", "The database did not answer the login in time.")


def _network_fault(fault: BaseException) -> Ended | None:
    for one in _causes(fault):
        if isinstance(one, ssl.SSLError | ConnectionResetError | BrokenPipeError | EOFError):
            return disconnected(one)
        if isinstance(one, OSError) and not isinstance(one, TimeoutError):
            return not_connected(one)
    return None


def _otherwise(fault: BaseException, phase: str | None) -> Ended:
    if phase == "login":
        return failed("protocol", f"The login can't be finished: {type(fault).__name__}: {fault}")
    return failed("query", f"The database refuses the query: {fault}")


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or fault.__context__
