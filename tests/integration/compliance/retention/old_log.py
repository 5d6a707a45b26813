"""A log whose first partitions are old enough to leave, and what moves them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from pydantic import SecretStr

from services.compliance.__main__ import build
from services.compliance.retention.schedule import Retention
from services.compliance.retention.store import try_lock
from services.compliance.retention.vault import Vault
from services.compliance.settings import ComplianceSettings
from shared.bus.postgres import PostgresBus
from shared.database import connect
from shared.events.inventory import SiteChanged
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import Sender
from tests.integration.conftest import Run, login
from tests.news import until
from tests.small_log import key_of

KEY = key_of("steward.example/log")
URL = "/compliance/v1/retention"
WIDTH = 512
LATER = timedelta(days=2193)
SEALED = "SELECT size >= $1 AND size = (SELECT max(size) FROM checkpoints) FROM head"


class Aged(Protocol):
    """Starts the log of a test."""

    def __call__(self, archive: str | None = None) -> AbstractAsyncContextManager[Harness]:
        """With ``archive``, the service has one; this test and not the service moves its partitions then."""


@asynccontextmanager
async def aged_log(
    run: Run, bus: PostgresBus, database: str, folder: Path, archive: str | None
) -> AsyncIterator[Harness]:
    """A log of three partitions of 512 entries, two of them complete, with some manifests between its events."""
    await execute(database, f"UPDATE compliance.head SET partition_entries = {WIDTH}")
    settings: dict[str, Any] = {"log_key": SecretStr(KEY.reveal()), "log_published": folder / "checkpoint"}
    settings |= {"log_checkpoint_interval": 0.1, "log_archive": archive}
    mover = await connect(login(database, "steward_compliance"), schema="compliance", application="test-mover")
    try:
        assert archive is None or await try_lock(mover)
        async with run(compliance=(build, ComplianceSettings, settings)) as steward:
            sender = Sender(bus, "inventory")
            for start in range(0, 1100, 275):
                raws = [sender.event(site(n), site_id="north" if n % 2 else "south") for n in range(start, start + 275)]
                await sender.send("site.changed", raws)
                await until(steward.pools["compliance"], SEALED, start + 276)
            yield steward
    finally:
        mover.terminate()


def site(version: int) -> SiteChanged:
    """Some event."""
    return SiteChanged(name=f"Northfield {version}", time_zone="Europe/Berlin", version=version)


def retention(
    steward: Harness, database: str, url: str, *, later: timedelta = LATER, endpoint: str | None = None
) -> Retention:
    """The schedule with a clock that is ahead by more than six years."""
    dsn = login(database, "steward_compliance")
    return Retention(dsn, steward.pools["compliance"], Vault(url, endpoint), lambda: datetime.now(UTC) + later)


async def ask(database: str, *numbers: int) -> None:
    """Asks for partitions to be pruned as the API does, but six years ahead of its clock."""
    for number in numbers:
        await execute(
            database,
            f"""INSERT INTO compliance.archives (partition, state, asked_by, asked_at, correlation_id)
                VALUES ({number}, 'planned', 'admin', now(), 'flow-{number}')
                ON CONFLICT (partition) DO UPDATE SET fault = NULL""",
        )


async def advance_all(schedule: Retention) -> None:
    """Takes every step that is due."""
    while await schedule.advance():
        pass


async def plan(steward: Harness) -> list[dict[str, Any]]:
    """The dry run."""
    found: list[dict[str, Any]] = (await steward.admin.get(f"{URL}/plan")).raise_for_status().json()
    return found


async def index_sums(database: str) -> list[tuple[object, ...]]:
    """What the index and its counts hold of the first partition, and of all days but those of today's own traffic."""
    conn = await asyncpg.connect(database, server_settings={"search_path": "compliance"})
    events = await conn.fetch(f"SELECT * FROM events WHERE index < {WIDTH} ORDER BY index")
    chunks = await conn.fetch(f"SELECT start, hashes, recorded_at FROM chunks WHERE start < {WIDTH} ORDER BY start")
    days = await conn.fetch(
        "SELECT d.* FROM days d JOIN types t ON t.number = d.type WHERE t.type = 'site.changed' ORDER BY site, day"
    )
    await conn.close()
    return [tuple(row) for rows in (events, chunks, days) for row in rows]
