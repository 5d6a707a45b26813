"""Clocks that jump: times in the log never fall, no event is refused, and the lease goes by the database alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.compliance.log.writer import SERVICE, Writer
from shared.bus.postgres import PostgresBus
from shared.database import Pool
from shared.supervise import Supervisor
from tests.conftest import execute
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.stage import Source, Stage
from tests.integration.compliance.appending.test_crashes import all_read
from tests.news import until

IDLE_TIME = timedelta(seconds=2)


@asynccontextmanager
async def running(*writers: Writer) -> AsyncIterator[None]:
    """Keeps writers running, as the service does."""
    tasks = [asyncio.create_task(Supervisor(SERVICE).keep_running("consumer", writer.run)) for writer in writers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def lease_end(pool: Pool) -> datetime:
    """When the lease ends, by the database's clock."""
    end: datetime = await pool.fetchval("SELECT leased_until FROM head")
    return end


@pytest.mark.parametrize("hours", [[-5, -100, 0], [7, 0, -1]], ids=["back", "forward"])
async def test_a_writer_whose_clock_jumps_appends_on(
    database: str, stage: Stage, pool: Pool, source: Source, hours: list[int]
) -> None:
    """Time stands still in the log until the clock has caught up; the writer neither stops nor spins."""
    ahead = timedelta()

    def clock() -> datetime:
        return datetime.now(UTC) + ahead

    async with running(replace(stage.writer(pool, PostgresBus(stage.bus_dsn)), clock=clock)):
        for hour in (0, *hours):
            ahead = timedelta(hours=hour)
            await source.publish(50)
            await all_read(pool, len(source.published))
        began, used = time.monotonic(), time.process_time()
        await until(pool, "SELECT leased_until > $1 FROM head", await lease_end(pool) + IDLE_TIME)
        assert time.process_time() - used < (time.monotonic() - began) / 2
    checked = await check_log(database)
    assert sorted(checked.heard) == sorted(source.published)
    assert checked.epoch == 1
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == 0
    recorded = [entry.recorded_at for entry in checked.entries]
    assert max(recorded) - min(recorded) > timedelta(hours=max(*hours, 0)) - timedelta(minutes=1)


async def test_a_lease_from_before_the_databases_clock_went_back_is_not_waited_for(
    database: str, stage: Stage, pool: Pool, source: Source
) -> None:
    """A writer has died, and its lease ends in three hours by the clock as it is now."""
    await execute(
        database, "UPDATE compliance.head SET holder = 'steward-log-gone', leased_until = now() + interval '3 hours'"
    )
    await source.publish(50)
    async with running(stage.writer(pool, PostgresBus(stage.bus_dsn))):
        await all_read(pool, len(source.published))
    await check_log(database)


async def test_a_lease_that_ends_early_forks_nothing(database: str, stage: Stage, pool: Pool, source: Source) -> None:
    """The database's clock leaps ahead under a writer that is alive, again and again; whoever is faster leads."""
    async with running(*(stage.writer(pool, PostgresBus(stage.bus_dsn)) for _ in range(2))):
        for _ in range(20):
            await source.publish(50)
            await execute(database, "UPDATE compliance.head SET leased_until = now() - interval '1 hour'")
        await all_read(pool, len(source.published))
    checked = await check_log(database)
    assert sorted(checked.heard) == sorted(source.published)
