"""One query to a database, read-only and bounded, by the driver that its URL asks for."""

import asyncio
import importlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.probes.kinds.attempt import Attempt, Ended, failed, our_fault
from services.probes.kinds.driver_faults import oracle_fault, sql_server_fault
from services.probes.kinds.network import connect, disconnected, not_connected

MOST_ROWS = 1000
LEAST_LOGIN_SECONDS = 60
# python-tds waits so long before it tells of most refusals.
SQL_SERVER_LOGIN_SECONDS = 10
PACKAGES = {"oracle": "oracledb", "sqlserver": "pytds"}
DISTRIBUTIONS = {"oracledb": "oracledb", "pytds": "python-tds"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the database is and who asks; ``tls`` None asks without."""

    host: str
    port: int
    database: str
    username: str
    password: str | None
    tls: ssl.SSLContext | None
    statement_seconds: float


async def ask(engine: str, place: Place, query: str, attempt: Attempt) -> list[tuple[Any, ...]]:
    """The rows of the query, at most 1000. Raises Ended."""
    if engine == "postgresql":
        return await _ask_postgresql(place, query, attempt)
    if engine == "oracle":
        return await _ask_oracle(place, query, attempt)
    return await _ask_sql_server(place, query, attempt)


async def _ask_postgresql(place: Place, query: str, attempt: Attempt) -> list[tuple[Any, ...]]:
    async with _logged_in(place, attempt) as session:
        with attempt.phase("query"):
            try:
                async with session.transaction(readonly=True):
                    rows = []
                    async for row in session.cursor(query, prefetch=100):
                        rows.append(tuple(row))
                        if len(rows) == MOST_ROWS:
                            break
                    return rows
            except asyncpg.QueryCanceledError as exc:
                raise failed("timeout_query", f"The query took more than {place.statement_seconds:g} s.") from exc
            except asyncpg.ReadOnlySQLTransactionError as exc:
                raise our_fault("settings", "The query would change something; only reading is allowed.") from exc
            except asyncpg.PostgresError as exc:
                raise failed("query", f"The database refuses the query: {exc.sqlstate} {exc}") from exc
            except asyncpg.InterfaceError as exc:
                raise our_fault("settings", f"The query can't be sent: {exc}") from exc
            except OSError as exc:
                raise disconnected(exc) from exc


@asynccontextmanager
async def _logged_in(place: Place, attempt: Attempt) -> AsyncIterator[Any]:
    with attempt.phase("login"):
        session = await _log_in(place)
    try:
        yield session
    finally:
        session.terminate()


async def _log_in(place: Place) -> Any:
    try:
        return await asyncpg.connect(
            host=place.host,
            port=place.port,
            database=place.database,
            user=place.username,
            password=place.password or "",
            ssl=place.tls or False,
            timeout=LEAST_LOGIN_SECONDS * 60,
            passfile="/dev/null",
            server_settings={
                "application_name": "steward-probe",
                "default_transaction_read_only": "on",
                "statement_timeout": str(max(1, int(place.statement_seconds * 1000))),
            },
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError) as exc:
        raise failed("login_refused", f"The database refuses the login: {exc}") from exc
    except asyncpg.InvalidCatalogNameError as exc:
        raise failed("query", f"There is no such database: {exc}") from exc
    except asyncpg.TooManyConnectionsError as exc:
        raise failed("busy", f"The database takes no more connections: {exc}") from exc
    except asyncpg.CannotConnectNowError as exc:
        raise failed("busy", f"The database is starting or stopping: {exc}") from exc
    except ConnectionError as exc:
        raise _no_connection(exc) from exc
    except OSError as exc:
        raise (disconnected(exc) if isinstance(exc, ssl.SSLError) else not_connected(exc)) from exc
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as exc:
        raise failed("protocol", f"The login can't be finished: {type(exc).__name__}: {exc}") from exc


def _no_connection(fault: ConnectionError) -> Ended:
    if isinstance(fault, ConnectionRefusedError):
        return not_connected(fault)
    if "rejected SSL upgrade" in str(fault):
        return failed("tls_refused", "The database does not offer TLS.")
    return disconnected(fault if fault.errno else EOFError())


async def _ask_oracle(place: Place, query: str, attempt: Attempt) -> list[tuple[Any, ...]]:
    """By python-oracledb, which speaks to Oracle over asyncio without Oracle's own libraries."""
    driver = _driver("oracle")
    protocol = "tcps" if place.tls else "tcp"
    session: Any = None
    try:
        with attempt.phase("login"):
            # The context checks the certificate's name, also where that is an address; the driver can't.
            session = await driver.connect_async(
                user=place.username,
                password=place.password or "",
                dsn=f"{protocol}://{place.host}:{place.port}/{place.database}",
                ssl_context=place.tls,
                ssl_server_dn_match=False,
            )
        with attempt.phase("query"):
            session.call_timeout = int(place.statement_seconds * 1000)
            with session.cursor() as cursor:
                await cursor.execute("set transaction read only")
                await cursor.execute(query)
                return [tuple(row) for row in await cursor.fetchmany(MOST_ROWS)]
    except driver.Error as exc:
        raise oracle_fault(exc, attempt.current) from exc
    finally:
        if session is not None:
            await session.close()


async def _ask_sql_server(place: Place, query: str, attempt: Attempt) -> list[tuple[Any, ...]]:
    """By python-tds in a thread; its own timeouts end it when nobody waits any more."""
    driver = _driver("sqlserver")
    seconds = min(place.statement_seconds, attempt.left)

    def ask(connection: socket.socket) -> list[tuple[Any, ...]]:
        # What a thread raises may come out of it without its cause.
        try:
            with attempt.phase("login"):
                session = driver.connect(
                    sock=connection,
                    dsn=place.host,
                    port=place.port,
                    database=place.database,
                    user=place.username,
                    password=place.password or "",
                    timeout=seconds,
                    login_timeout=min(SQL_SERVER_LOGIN_SECONDS, attempt.left),
                    readonly=True,
                    autocommit=False,
                    disable_connect_retry=True,
                )
            with attempt.phase("query"):
                cursor = session.cursor()
                cursor.execute(query)
                return [tuple(row) for row in cursor.fetchmany(MOST_ROWS)]
        except Exception as exc:  # python-tds raises anything over bytes that it can't read
            raise sql_server_fault(exc, attempt.current) from exc

    connection = await connect(attempt, place.host, place.port)
    connection.setblocking(True)
    try:
        return await asyncio.to_thread(ask, connection)
    finally:
        # A thread that still waits for the peer is woken by it.
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _driver(engine: str) -> Any:
    module = PACKAGES[engine]
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        package = DISTRIBUTIONS[module]
        raise our_fault("driver", f"The driver is not installed here: install the Python package {package}.") from exc
