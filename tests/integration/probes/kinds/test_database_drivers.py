"""database by the drivers of Oracle and SQL Server, against servers of these tests that refuse, break rules or hang.

No test here speaks to a real Oracle or SQL Server: what is shown is that each refusal and fault gets its word in time.
"""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import oracledb
import pytest

from services.probes.kinds import engines
from services.probes.kinds.driver_faults import oracle_fault
from tests.integration.probes.kinds import database_servers as servers
from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.certs import minted
from tests.parts.process import free_port

GARBAGE = b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10


def at(engine: str, port: int, **more: Any) -> dict[str, Any]:
    """How to ask the database there."""
    dsn = f"{engine}://ris@127.0.0.1:{port}/RIS"
    return {"dsn": dsn, "query": "select 1 from dual", "tls": "none", "password": "word", **more}


@pytest.fixture(autouse=True)
async def closed_behind_us() -> AsyncIterator[None]:
    """Python-oracledb leaves a connection behind TLS to close by itself, for which the loop of a test must live on."""
    yield
    open_ones = cast(Any, asyncio.get_running_loop())._transports
    async with asyncio.timeout(10):
        while any(each.get_extra_info("socket").fileno() >= 0 for each in open_ones.values()):
            await asyncio.sleep(0)


@pytest.mark.parametrize("engine", ["oracle", "sqlserver"])
async def test_port_where_nothing_listens_is_refused(engine: str, ask: Asked) -> None:
    """At once, and no driver tries again and again."""
    seen = await ask("database", at(engine, free_port()))
    assert (seen.outcome, seen.failure) == ("failed", "refused"), seen


@pytest.mark.parametrize("engine", ["oracle", "sqlserver"])
async def test_server_that_leaves_is_told(engine: str, ask: Asked) -> None:
    """Before it has answered the login."""
    with servers.answering(servers.leaving) as port:
        seen = await ask("database", at(engine, port))
    assert (seen.outcome, seen.failure) == ("failed", "closed"), seen


@pytest.mark.parametrize("engine", ["oracle", "sqlserver"])
async def test_silent_server_ends_in_time(engine: str, ask: Asked) -> None:
    """Whether our deadline comes first, or the driver's."""
    with servers.answering(servers.saying(b"")) as port:
        seen = await ask("database", at(engine, port), 0.6)
    assert (seen.outcome, seen.failure) == ("failed", "timeout_answer"), seen


@pytest.mark.parametrize("engine", ["oracle", "sqlserver"])
async def test_server_of_another_protocol_is_told(engine: str, ask: Asked) -> None:
    """Whatever its driver makes of the bytes; python-oracledb waits for more of them."""
    with servers.answering(servers.saying(GARBAGE)) as port:
        seen = await ask("database", at(engine, port), 0.6)
    assert (seen.outcome, seen.failure in ("protocol", "timeout_answer")) == ("failed", True), seen


@pytest.mark.parametrize(
    ("code", "failure"), [(12514, "query"), (12505, "query"), (12516, "busy"), (12528, "busy"), (12999, "protocol")]
)
async def test_refusal_of_an_oracle_listener_has_its_word(code: int, failure: str, ask: Asked) -> None:
    """A service or SID that it does not know; no handler that is free; anything else."""
    with servers.answering(servers.saying(servers.tns_refusal(code))) as port:
        seen = await ask("database", at("oracle", port))
    assert (seen.outcome, seen.failure) == ("failed", failure), seen


@pytest.mark.parametrize(
    ("text", "phase", "failure"),
    [
        ("ORA-01017: invalid username/password; logon denied", "login", "login_refused"),
        ("ORA-28000: The account is locked.", "login", "login_refused"),
        ("ORA-00020: maximum number of processes (300) exceeded", "login", "busy"),
        ("ORA-01033: ORACLE initialization or shutdown in progress", "login", "busy"),
        ("DPY-4024: call timeout of 5000 ms exceeded", "query", "timeout_query"),
        ("ORA-00942: table or view does not exist", "query", "query"),
        (
            "ORA-01456: may not perform insert, delete, update operation inside a READ ONLY transaction",
            "query",
            "settings",
        ),
        ("DPY-4011: the database or network closed the connection", "query", "closed"),
    ],
)
def test_what_oracle_says_later_has_its_word(text: str, phase: str, failure: str) -> None:
    """By the numbers in the driver's text."""
    assert oracle_fault(oracledb.DatabaseError(text), phase).observation.failure == failure


@pytest.mark.parametrize(
    ("number", "text", "failure"),
    [
        (18456, "Login failed for user 'ris'.", "login_refused"),
        (4060, 'Cannot open database "RIS" requested by the login.', "query"),
        (17142, "SQL Server service has been paused.", "busy"),
        (50000, "Something else.", "protocol"),
    ],
)
async def test_login_that_a_sql_server_refuses_has_its_word(
    number: int, text: str, failure: str, ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the number of its ERROR token; no secret is told."""
    monkeypatch.setattr(engines, "SQL_SERVER_LOGIN_SECONDS", 1)
    with servers.answering(servers.tds_refusal(number, text)) as port:
        seen = await ask("database", at("sqlserver", port))
    assert (seen.outcome, seen.failure) == ("failed", failure), seen
    assert "sesame" not in repr(seen)


async def test_sql_server_that_wants_tls_is_told(ask: Asked) -> None:
    """The login is not sent in the clear."""
    with servers.answering(servers.saying(servers.tds_prelogin(servers.ENCRYPTION_REQUIRED))) as port:
        seen = await ask("database", at("sqlserver", port))
    assert (seen.outcome, seen.failure) == ("failed", "tls_required"), seen


@pytest.mark.parametrize(
    ("wrong", "trusts", "failure"),
    [
        ({}, False, "tls_untrusted"),
        ({"starts": -400, "ends": -10}, True, "tls_expired"),
        ({"host": "192.0.2.1"}, True, "tls_name"),
        ({}, True, "query"),
    ],
    ids=["untrusted", "expired", "another name", "in order"],
)
async def test_tls_of_an_oracle_is_verified(
    wrong: dict[str, Any], trusts: bool, failure: str, ask: Asked, tmp_path: Path
) -> None:
    """Before anything is said; behind a certificate that is in order, the listener's refusal is heard."""
    certificate = minted(tmp_path / "server", **wrong)
    shutil.copy(certificate.ca, f"{ask.here.probe_secrets}/hospital-ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    trust = {"trust": "hospital-ca.pem"} if trusts else {}
    with servers.answering(servers.saying(servers.tns_refusal(12514)), context) as port:
        seen = await ask("database", at("oracle", port, tls="required", **trust))
    assert (seen.outcome, seen.failure) == ("failed", failure), seen


async def test_oracle_without_tls_gets_no_login_where_it_is_required(ask: Asked) -> None:
    """A plain listener does not understand the handshake, and that is told."""
    with servers.answering(servers.saying(servers.tns_refusal(12514))) as port:
        seen = await ask("database", at("oracle", port, tls="required"))
    assert (seen.outcome, seen.failure) == ("failed", "tls"), seen
