"""A writer that dies at any statement of an append leaves a log as if it had written all of the batch, or nothing."""

import asyncio
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest

from services.compliance.log.writer import SERVICE
from shared.bus.postgres import PostgresBus
from shared.database import Pool
from shared.supervise import Supervisor
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.proxy import Cut, Proxy
from tests.integration.compliance.appending.stage import Source, Stage, Writers, send_signal
from tests.news import until

EVENTS = 150
LEASE_SECONDS = 0.3
AT_LEAST = 25
"""So many messages an append has in any case."""


async def all_read(pool: Pool, events: int) -> None:
    """Returns when that many events of the bus are in the log."""
    await until(pool, "SELECT coalesce(sum(next_sequence), 0) >= $1 FROM sites WHERE site_id <> 'group'", events)


async def assert_whole(database: str, pool: Pool, source: Source, nonsense: int) -> None:
    """The log holds each event once and verifies, each message that is none lies aside once, and all was read."""
    checked = await check_log(database)
    assert Counter(checked.heard) == Counter(source.published)
    assert await pool.fetchval("SELECT count(*) FROM quarantine") == nonsense
    positions = await pool.fetch("SELECT partition, next_offset FROM positions")
    assert {row[0]: row[1] for row in positions} == await source.heads(database)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_writer_killed_at_any_statement_of_an_append_leaves_no_trace_but_whole_batches(
    database: str, stage: Stage, pool: Pool, source: Source, proxy: Proxy, processes: Writers, after: bool
) -> None:
    """SIGKILL before or after the server has acted on each message of the append, COPY's among them."""
    through = replace(stage, dsn=proxy.dsn, lease_seconds=LEASE_SECONDS)
    for number in range(1, 200):
        await source.publish(EVENTS, and_nonsense=True)
        process = processes.start(through)
        proxy.cut = cut = Cut(number, lambda process=process: send_signal(process, signal.SIGKILL), after=after)  # type: ignore[misc]
        drained = asyncio.create_task(all_read(pool, len(source.published)))
        dead = asyncio.create_task(cut.done.wait())
        await asyncio.wait([drained, dead], return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        dead.cancel()
        if not cut.done.is_set():
            break
    assert number > AT_LEAST
    await assert_whole(database, pool, source, number)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_writer_whose_session_ends_at_any_statement_goes_on(
    database: str, stage: Stage, pool: Pool, source: Source, proxy: Proxy, after: bool
) -> None:
    """The process lives on; its connection is gone, as when the database's server ends or is failed over."""
    through = replace(stage, dsn=proxy.dsn, lease_seconds=LEASE_SECONDS)
    writer = through.writer(pool, PostgresBus(stage.bus_dsn))
    running = asyncio.create_task(Supervisor(SERVICE).keep_running("consumer", writer.run))
    try:
        for number in range(1, 200):
            proxy.cut = cut = Cut(number, lambda: None, after=after)
            await source.publish(EVENTS, and_nonsense=True)
            await all_read(pool, len(source.published))
            if not cut.done.is_set():
                break
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert number > AT_LEAST
    await assert_whole(database, pool, source, number)
