"""A writer that dies at any statement of an append leaves a log as if it had written all of the batch, or nothing."""

import asyncio
import signal
from collections import Counter
from dataclasses import replace
from functools import partial

import pytest

from services.compliance.log.writer import Writer
from shared.bus.postgres import PostgresBus
from shared.consumer import is_passing
from shared.database import Pool
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.proxy import Cut, Proxy
from tests.integration.compliance.appending.stage import Source, Stage, Writers, send_signal
from tests.news import until

LEASE_SECONDS = 0.3
AT_LEAST = 15

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


@pytest.fixture
async def backlog(stage: Stage, pool: Pool, source: Source, processes: Writers) -> Source:
    """A log that has begun, and more events on the bus than fit into its first partition."""
    await source.publish(100, and_nonsense=True)
    process = processes.start(stage)
    await all_read(pool, len(source.published))
    process.terminate()
    process.join()
    await source.publish(450, and_nonsense=True)
    return source


async def test_a_writer_killed_at_any_statement_of_an_append_leaves_whole_batches(
    database: str, stage: Stage, pool: Pool, backlog: Source, proxy: Proxy, processes: Writers
) -> None:
    """SIGKILL before each message of an append that the server acts on, and behind the commit that it did not see."""
    through = replace(stage, dsn=proxy.dsn, lease_seconds=LEASE_SECONDS)
    number = 1
    while await dies_at(Cut(number), proxy, processes, through, pool, len(backlog.published)):
        number += 1
    assert number > AT_LEAST
    await backlog.publish(100)
    assert await dies_at(Cut(1, after=True, text=b"COMMIT"), proxy, processes, through, pool, len(backlog.published))
    processes.start(through)
    await all_read(pool, len(backlog.published))
    await assert_whole(database, pool, backlog, 2)


async def dies_at(cut: Cut, proxy: Proxy, processes: Writers, stage: Stage, pool: Pool, events: int) -> bool:
    """Runs a writer up to the cut; whether it came to it before all events were read."""
    process = processes.start(stage)
    cut.act = partial(send_signal, process, signal.SIGKILL)
    proxy.cut = cut
    drained, dead = asyncio.create_task(all_read(pool, events)), asyncio.create_task(cut.done.wait())
    await asyncio.wait([drained, dead], return_when=asyncio.FIRST_COMPLETED)
    for task in (drained, dead):
        task.cancel()
    await asyncio.gather(drained, dead, return_exceptions=True)
    process.kill()
    process.join()
    # Behind a commit all may be read before the cut is done; the writer has seen no answer then either.
    return cut.counted >= cut.number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_writer_whose_session_ends_at_any_statement_goes_on(
    database: str, stage: Stage, pool: Pool, backlog: Source, proxy: Proxy, after: bool
) -> None:
    """The process lives on; its connection is gone, as when the database's server ends or is failed over."""
    through = replace(stage, dsn=proxy.dsn, lease_seconds=LEASE_SECONDS)

    def cut_at(number: int) -> None:
        proxy.cut = Cut(number, partial(cut_at, number + 1), after=after)

    cut_at(1)
    running = asyncio.create_task(write_for_ever(through.writer(pool, PostgresBus(stage.bus_dsn))))
    await all_read(pool, len(backlog.published))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert proxy.cut is not None
    assert proxy.cut.number > AT_LEAST
    await assert_whole(database, pool, backlog, 2)


async def write_for_ever(writer: Writer) -> None:
    """Runs a writer again whenever its connection is gone."""
    while True:
        try:
            await writer.run()
        except Exception as exc:
            if not is_passing(exc):
                raise
