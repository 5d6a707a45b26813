"""database against a real PostgreSQL, and against drivers that are not there."""

import asyncio
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.integration.probes.kinds.asked import SECRETS, Asked
from tests.integration.probes.kinds.certs import minted

SSL_REQUEST = 8
"""Bytes of the question whether the server speaks TLS (PostgreSQL's message flow, SSL Session Encryption)."""


@asynccontextmanager
async def by_tcp(database: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A free port that leads to the server's own socket; with TLS, if there is a context for it."""
    directory = parse_qs(urlsplit(database).query)["host"][0]
    tasks: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            if tls is not None:
                await reader.readexactly(SSL_REQUEST)
                writer.write(b"S")
                await writer.start_tls(tls)
            inside, out = await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")
            tasks.update(map(asyncio.ensure_future, (carry(reader, out), carry(inside, writer))))

    server = await asyncio.start_server(lead, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks)


@pytest.fixture
async def prepared(database: str) -> AsyncIterator[str]:
    """A table in the database, and a user who may read and write it by password; the user's name."""
    owner = await asyncpg.connect(database)
    user = f"reader_{urlsplit(database).path[6:18]}"
    await owner.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{SECRETS['word']}'")
    await owner.execute("CREATE TABLE stuck AS SELECT generate_series(1, 7) AS id")
    await owner.execute(f"GRANT ALL ON stuck TO {user}")
    yield user
    await owner.execute(f"DROP OWNED BY {user}")
    await owner.execute(f"DROP ROLE {user}")
    await owner.close()


def settings_of(database: str, user: str, port: int, **more: Any) -> dict[str, Any]:
    """How to ask it."""
    dsn = f"postgresql://{user}@127.0.0.1:{port}{urlsplit(database).path}"
    return {"dsn": dsn, "password": "word", "tls": "none", "query": "select count(*) from stuck", **more}


@pytest.fixture
async def settings(database: str, prepared: str) -> AsyncIterator[dict[str, Any]]:
    """How to ask it without TLS."""
    async with by_tcp(database) as port:
        yield settings_of(database, prepared, port)


async def test_query_is_made_and_its_number_told(settings: dict[str, Any], ask: Asked) -> None:
    """With the time for the login and for the query."""
    seen = await ask("database", settings)
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert (seen.measures["value"], seen.measures["rows"]) == (7, 1)
    assert 0 < seen.measures["query_seconds"] < 20
    assert 0 < seen.measures["login_seconds"] < 20
    assert {"login", "query"} <= set(seen.phases)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("select 1.5::numeric", 1.5),
        ("select true", 1.0),
        ("select id from stuck order by id desc", 7.0),
        ("select 'nan'::float8", None),
        ("select 'in words'", None),
        ("select null", None),
        ("select 1 where false", None),
    ],
)
async def test_first_column_of_the_first_row_is_the_value(
    query: str, value: float | None, settings: dict[str, Any], ask: Asked
) -> None:
    """Where it is a number."""
    seen = await ask("database", settings | {"query": query})
    assert (seen.outcome, seen.measures.get("value")) == ("ok", value)


async def test_rows_are_bounded(settings: dict[str, Any], ask: Asked) -> None:
    """A query without end of rows is left after a thousand."""
    seen = await ask("database", settings | {"query": "select generate_series(1, 100000000)"})
    assert (seen.outcome, seen.measures["rows"]) == ("ok", 1000)


@pytest.mark.parametrize(
    "query", ["delete from stuck returning id", "insert into stuck values (8)", "create table x ()"]
)
async def test_query_that_changes_something_is_refused(
    query: str, settings: dict[str, Any], database: str, ask: Asked
) -> None:
    """It is our fault, and nothing is changed."""
    seen = await ask("database", settings | {"query": query})
    assert (seen.outcome, seen.failure) == ("probe_error", "settings"), seen
    owner = await asyncpg.connect(database)
    assert await owner.fetchval("SELECT count(*) FROM stuck") == 7
    await owner.close()


@pytest.mark.parametrize(
    "query", ["select 1; delete from stuck", "commit; delete from stuck", "selec 1", "select * from no_such_table"]
)
async def test_query_that_is_none_is_told(query: str, settings: dict[str, Any], ask: Asked) -> None:
    """Two statements are none either."""
    seen = await ask("database", settings | {"query": query})
    assert (seen.outcome, seen.failure) == ("failed", "query"), seen


async def test_query_that_takes_too_long_is_ended_by_the_server(
    settings: dict[str, Any], database: str, ask: Asked
) -> None:
    """It does not go on there when nobody waits for it."""
    seen = await ask("database", settings | {"query": "select pg_sleep(600)", "statement_seconds": 0.2})
    assert (seen.outcome, seen.failure) == ("failed", "timeout_query")
    owner = await asyncpg.connect(database)
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(600)'"
    assert await owner.fetchval(sleeping) == 0
    await owner.close()


async def test_login_that_is_refused_is_told(settings: dict[str, Any], ask: Asked) -> None:
    """A database, or a user, that is not there; told from a server that is down. No secret is told."""
    dsn = settings["dsn"]
    other_user = await ask("database", settings | {"dsn": dsn.replace("reader_", "nobody_")})
    assert (other_user.outcome, other_user.failure) == ("failed", "login_refused"), other_user
    no_database = await ask("database", settings | {"dsn": f"{dsn}_gone"})
    assert (no_database.outcome, no_database.failure) == ("failed", "query"), no_database
    assert "sesame" not in repr((other_user, no_database))


async def test_tls_is_not_given_up_silently(settings: dict[str, Any], ask: Asked) -> None:
    """A server without TLS gets no password over a plain connection."""
    seen = await ask("database", settings | {"tls": "required"})
    assert (seen.outcome, seen.failure) == ("failed", "tls_refused"), seen


async def test_login_by_tls_is_verified(database: str, prepared: str, ask: Asked, tmp_path: Path) -> None:
    """Against the hospital's authority; by default the system's counts, and then no password is sent."""
    certificate = minted(tmp_path / "server")
    shutil.copy(certificate.ca, f"{ask.here.probe_secrets}/hospital-ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    async with by_tcp(database, context) as port:
        settings = settings_of(database, prepared, port, tls="required")
        seen = await ask("database", settings | {"trust": "hospital-ca.pem"})
        untrusted = await ask("database", settings)
    assert (seen.outcome, seen.measures.get("value")) == ("ok", 7), seen
    assert (untrusted.outcome, untrusted.failure) == ("failed", "tls_untrusted"), untrusted


@pytest.mark.parametrize(("engine", "package"), [("oracle", "oracledb"), ("sqlserver", "python-tds")])
async def test_driver_that_is_not_installed_is_named(
    engine: str, package: str, ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our fault, with the package to install."""
    for module in ("oracledb", "pytds"):
        monkeypatch.setitem(sys.modules, module, None)
    seen = await ask("database", {"dsn": f"{engine}://ris@127.0.0.1/RIS", "query": "select 1", "tls": "none"})
    assert (seen.outcome, seen.failure) == ("probe_error", "driver")
    assert package in seen.detail


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ann:secret@db/pacs",
        "postgresql://ann@db:0/pacs",
        "postgresql://ann@db:99999/pacs",
        "postgresql://ann@db",
        "postgresql:///pacs",
        "postgresql://ann@db/pacs?sslmode=disable",
        "mysql://ann@db/pacs",
        "ann@db",
    ],
)
def test_dsn_with_a_password_or_without_a_part_is_refused(dsn: str, ask: Asked) -> None:
    """The message shows one that is right."""
    with pytest.raises(ValueError, match="dsn"):
        type(ask.kind("database")).settings.model_validate({"dsn": dsn, "query": "select 1"})
