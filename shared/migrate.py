"""`steward migrate`: schemas, roles and tables, forward only, under an advisory lock. Services never do this at start.

A schema belongs to the role that migrates; its service logs in as ``steward_<service>`` and may only read and write
rows there. Applied files are remembered with their digest: a file that was changed afterwards is an error.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.bus import Bus
from shared.database import Connection, connect
from shared.errors import StewardError
from shared.events import CONTRACTS

HERE = Path(__file__).parent
DELIVERY = HERE / "migrations"
BUS = HERE / "bus" / "migrations"
TIMEOUTS = "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10min';"


@dataclass(frozen=True)
class Script:
    """One migration: its name, as it is remembered, and its SQL."""

    name: str
    sql: str


class MigrationError(StewardError):
    """The database is not in the state that its record of migrations tells."""


async def migrate_service(dsn: str, service: str, folder: Path, password: str | None) -> list[str]:
    """Brings a service's schema up to date as the owner behind ``dsn`` and returns the names of what was applied."""
    return await _migrate(dsn, service, [*_scripts(DELIVERY), *_scripts(folder)], password)


async def migrate_bus(dsn: str, password: str | None) -> list[str]:
    """Brings the embedded bus's schema up to date. Its role makes topics, so the schema is its own."""
    conn = await connect(dsn, schema="bus", application="steward-migrate")
    try:
        applied = await _migrate(dsn, "bus", _scripts(BUS), password)
        await conn.execute("GRANT ALL ON SCHEMA bus TO steward_bus")
        for (table,) in await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'bus'"):
            if table != "migrations":
                await conn.execute(f'ALTER TABLE bus."{table}" OWNER TO steward_bus')
        return applied
    finally:
        await conn.close()


async def create_topics(bus: Bus) -> None:
    """Makes every topic that a contract declares."""
    await bus.create_topics([contract.topic for contract in CONTRACTS.values()])


async def _migrate(dsn: str, schema: str, scripts: Sequence[Script], password: str | None) -> list[str]:
    conn = await connect(dsn, schema=schema, application="steward-migrate")
    try:
        async with conn.transaction():
            await conn.execute(TIMEOUTS)
            await conn.execute("SELECT pg_advisory_xact_lock(hashtext('steward migrate'))")
            await _prepare(conn, schema, password)
        return [script.name for script in scripts if await _apply(conn, script)]
    finally:
        await conn.close()


async def _prepare(conn: Connection, schema: str, password: str | None) -> None:
    role = f"steward_{schema}"
    if not await conn.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await conn.execute(f'CREATE ROLE "{role}" LOGIN')
    if password is not None:
        # ALTER ROLE takes no parameters; format(%L) quotes the secret.
        await conn.execute(
            await conn.fetchval("SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password)
        )
    await conn.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    await conn.execute(f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"')
    for grant in ("SELECT, INSERT, UPDATE, DELETE ON TABLES", "USAGE, SELECT ON SEQUENCES"):
        await conn.execute(f'ALTER DEFAULT PRIVILEGES IN SCHEMA "{schema}" GRANT {grant} TO "{role}"')
    await conn.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )


def _scripts(folder: Path) -> list[Script]:
    return [Script(f"{folder.parent.name}/{path.name}", path.read_text()) for path in sorted(folder.glob("*.sql"))]


async def _apply(conn: Connection, script: Script) -> bool:
    digest = hashlib.sha256(script.sql.encode()).hexdigest()
    async with conn.transaction():
        await conn.execute(TIMEOUTS)
        await conn.execute("LOCK TABLE migrations IN SHARE ROW EXCLUSIVE MODE")
        known = await conn.fetchval("SELECT sha256 FROM migrations WHERE name = $1", script.name)
        if known is not None and known != digest:
            raise MigrationError(f"{script.name} was applied and has been changed since; add a new file instead")
        if known is None:
            try:
                await conn.execute(script.sql)
            except asyncpg.PostgresError as exc:
                raise MigrationError(f"{script.name}: {exc}") from exc
            await conn.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", script.name, digest)
    return known is None
