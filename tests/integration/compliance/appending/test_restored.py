"""A database that was put back to an older state is neither appended to nor signed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.compliance.__main__ import build
from services.compliance.checkpoints.keys import generate_key
from services.compliance.settings import ComplianceSettings
from services.up.postgres import EmbeddedPostgres
from shared.bus.postgres import PostgresBus
from shared.database import open_pool
from shared.service import Opened, open_service
from tests.conftest import execute
from tests.integration.compliance.appending.stage import Source
from tests.integration.conftest import login, settings_for
from tests.news import until

ORIGIN = "steward.example/log"
ATTEMPTS = 5
"""So many take longer than a fault that does not come again is remembered."""


class Archive:
    """The database of a running service, that can be backed up and put back whole."""

    def __init__(self, postgres: EmbeddedPostgres, database: str, folder: Path) -> None:
        self._postgres, self.database = postgres, database
        self._folder = folder
        self._name = database.split("/")[-1].split("?")[0]
        self.published = folder / "checkpoint"
        self._key = generate_key(ORIGIN).reveal()

    def settings(self, *, signs: bool = True) -> ComplianceSettings:
        """The service's settings, with the log's key and memory or without."""
        more = {"log_key": self._key, "log_published": self.published} if signs else {}
        settings: ComplianceSettings = settings_for(
            ComplianceSettings, "compliance", self.database, self._folder, log_checkpoint_interval=0.2, **more
        )
        return settings

    @asynccontextmanager
    async def serving(self, *, signs: bool = True) -> AsyncIterator[tuple[Opened, Source]]:
        """Runs the service."""
        settings = self.settings(signs=signs)
        bus = PostgresBus(login(self.database, "steward_bus"))
        try:
            async with open_service("compliance", lambda pool: build(pool, settings), settings, bus) as opened:
                yield opened, Source(bus)
        finally:
            await bus.close()

    async def back_up(self) -> None:
        """Copies the database's files."""
        await self._copy(self._name, f"{self._name}_backup")

    async def restore(self) -> None:
        """Puts the files of the backup in the place of the database's."""
        await execute(self._postgres.dsn(), f"DROP DATABASE {self._name} WITH (FORCE)")
        await self._copy(f"{self._name}_backup", self._name)

    async def _copy(self, name: str, to: str) -> None:
        await execute(
            self._postgres.dsn(), f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        await execute(self._postgres.dsn(), f"CREATE DATABASE {to} TEMPLATE {name}")

    async def state(self) -> tuple[Any, ...]:
        """Size and root of the log's unfinished part, the checkpoints, and the file with the last one."""
        conn = await asyncpg.connect(self.database, server_settings={"search_path": "compliance"})
        size = await conn.fetchval("SELECT size FROM head")
        notes = await conn.fetch("SELECT size, note FROM checkpoints ORDER BY size")
        await conn.close()
        return size, [tuple(note) for note in notes], self.published.read_bytes()


@pytest.fixture
async def archive(postgres: EmbeddedPostgres, database: str, tmp_path: Path) -> AsyncIterator[Archive]:
    """The database of compliance, without entries."""
    archive = Archive(postgres, database, tmp_path)
    yield archive
    await execute(
        postgres.dsn(), f"DROP DATABASE IF EXISTS {database.split('/')[-1].split('?')[0]}_backup WITH (FORCE)"
    )


async def appended_and_published(archive: Archive, source: Source, events: int, total: int) -> int:
    """Publishes events, and returns the log's size once ``total`` are in it and it is published whole."""
    await source.publish(events)
    conn = await asyncpg.connect(archive.database, server_settings={"search_path": "compliance"})
    told: asyncio.Queue[None] = asyncio.Queue()
    await conn.add_listener("test_changed", lambda *_: told.put_nowait(None))
    try:
        async with asyncio.timeout(60):
            while True:
                seen = await conn.fetchval("SELECT coalesce(sum(next_sequence), 0) FROM sites WHERE site_id <> 'group'")
                size = await conn.fetchval("SELECT size FROM head")
                last: int | None = await conn.fetchval("SELECT max(size) FROM checkpoints")
                if seen >= total and last is not None and last == size:
                    return last
                await told.get()
    finally:
        await conn.close()


async def refusals(archive: Archive, opened: Opened, attempts: int) -> set[str]:
    """What readiness says of the log's writer after each of its attempts to begin."""
    pool = await open_pool(archive.database, schema="compliance", application="test-owner", max_size=1)
    before = await pool.fetchval("SELECT epoch FROM head")
    said = set()
    transport = httpx.ASGITransport(opened.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://steward") as client:
        for attempt in range(2, 2 + attempts):
            await until(pool, "SELECT epoch >= $1 FROM head", before + attempt)
            said.add((await client.get("/health/ready")).json().get("consumer", "nothing"))
    pool.terminate()
    return said


async def test_a_restored_older_database_is_refused_until_it_is_put_right(archive: Archive) -> None:
    """Nothing is appended or signed, and the memory outside stays; readiness says what to do, all the time."""
    async with archive.serving() as (_, source):
        await appended_and_published(archive, source, 300, 300)
    await archive.back_up()
    async with archive.serving() as (_, source):
        source.skip(300)
        last = await appended_and_published(archive, source, 200, 500)
    await archive.restore()
    before = await archive.state()
    async with archive.serving() as (opened, source):
        source.skip(1000)
        await source.publish(100)
        [said] = await refusals(archive, opened, ATTEMPTS)
        assert f"{last} were published" in said
        assert "restore the newest backup" in said
    assert await archive.state() == before


async def test_a_restored_database_that_has_grown_on_otherwise_is_refused(archive: Archive) -> None:
    """As many entries as were published, and more, but not the same ones: a fork is not signed."""
    async with archive.serving() as (_, source):
        await appended_and_published(archive, source, 300, 300)
    await archive.back_up()
    async with archive.serving() as (_, source):
        source.skip(300)
        last = await appended_and_published(archive, source, 50, 350)
    await archive.restore()
    async with archive.serving(signs=False) as (_, source):
        source.skip(1000)
        await source.publish(200)
        await until_larger(archive, last)
    before = await archive.state()
    async with archive.serving() as (opened, source):
        source.skip(2000)
        await source.publish(100)
        [said] = await refusals(archive, opened, 1)
        assert f"the first {last} entries are not those that were published" in said
        assert "information security" in said
    assert await archive.state() == before


async def until_larger(archive: Archive, size: int) -> None:
    """Returns when the log has grown past ``size``."""
    pool = await open_pool(archive.database, schema="compliance", application="test-owner", max_size=1)
    await until(pool, "SELECT size > $1 FROM head", size)
    pool.terminate()
