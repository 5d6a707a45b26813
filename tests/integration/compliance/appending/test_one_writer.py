"""One history: a writer that died, stopped or hangs is replaced by another, and writes nothing any more."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.process import BaseProcess

import pytest

from services.compliance.log import store
from services.compliance.log.writer import _Lead
from shared.bus import Bus
from shared.bus.postgres import PostgresBus
from shared.consumer import is_passing
from shared.database import Pool, connect
from tests.integration.compliance.appending.checking import check_log
from tests.integration.compliance.appending.proxy import Cut, Proxy
from tests.integration.compliance.appending.stage import Source, Stage, Writers, send_signal
from tests.integration.compliance.appending.test_crashes import all_read
from tests.news import until

TAKEOVER_SECONDS = 10.0


async def led_by(pool: Pool, epoch: int) -> None:
    """Returns when the writer of that epoch, or a later one, leads."""
    await until(pool, "SELECT epoch >= $1 FROM head", epoch)


@asynccontextmanager
async def leader_and_standby(
    stage: Stage, proxy: Proxy, pool: Pool, source: Source, processes: Writers
) -> AsyncIterator[BaseProcess]:
    """A writer that leads, over the proxy, and another that stands by; in the end what was published is in the log."""
    await source.publish(100)
    leader = processes.start(replace(stage, dsn=proxy.dsn))
    await all_read(pool, len(source.published))
    processes.start(stage)
    yield leader
    await all_read(pool, len(source.published))


async def assert_taken_over(pool: Pool, source: Source, began: float) -> None:
    """The other writer leads, and has appended what was published, within the time that was promised."""
    await led_by(pool, 2)
    await all_read(pool, len(source.published))
    assert time.monotonic() - began < TAKEOVER_SECONDS


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
async def test_a_standby_takes_over_from_a_writer_that_is_gone(
    database: str,
    stage: Stage,
    pool: Pool,
    proxy: Proxy,
    processes: Writers,
    either_bus: Bus,
    kafka_or_none: str | None,
    signum: signal.Signals,
) -> None:
    """Within 10 s its first batch is in; the one that was stopped and goes on adds nothing."""
    stage, source = replace(stage, kafka=kafka_or_none), Source(either_bus)
    async with leader_and_standby(stage, proxy, pool, source, processes) as leader:
        send_signal(leader, signum)
        began = time.monotonic()
        await source.publish(100)
        await assert_taken_over(pool, source, began)
        if signum is signal.SIGSTOP:
            await assert_harmless(leader, pool, source)
    checked = await check_log(database)
    assert Counter(checked.heard) == Counter(source.published)


async def assert_harmless(stopped: BaseProcess, pool: Pool, source: Source) -> None:
    """The writer that goes on stands by: more events come in, and the epoch stays."""
    epoch = await pool.fetchval("SELECT epoch FROM head")
    send_signal(stopped, signal.SIGCONT)
    for _ in range(5):
        await source.publish(100)
        await all_read(pool, len(source.published))
    assert await pool.fetchval("SELECT epoch FROM head") == epoch


@pytest.mark.parametrize(
    "cut",
    [
        Cut(2, is_armed=True, is_open=True),
        Cut(1, is_armed=True, is_open=True, text=b"PGCOPY", after=True),
        Cut(1, is_armed=True, is_open=True, text=b"COMMIT"),
    ],
    ids=["begun", "copying", "committing"],
)
async def test_a_standby_takes_over_from_a_writer_that_stopped_in_the_middle_of_a_transaction(
    database: str,
    stage: Stage,
    pool: Pool,
    proxy: Proxy,
    processes: Writers,
    source: Source,
    cut: Cut,
) -> None:
    """It holds the lock of the head and would hold it for ever: its session is ended."""
    async with leader_and_standby(stage, proxy, pool, source, processes) as leader:
        proxy.cut = replace(cut, act=partial(send_signal, leader, signal.SIGSTOP), done=asyncio.Event())
        began = time.monotonic()
        await source.publish(100)
        await proxy.cut.done.wait()
        await assert_taken_over(pool, source, began)
        proxy.cut = None
        await assert_harmless(leader, pool, source)
    checked = await check_log(database)
    assert Counter(checked.heard) == Counter(source.published)


async def test_a_standby_takes_over_from_a_writer_whose_connection_hangs(
    database: str, stage: Stage, pool: Pool, proxy: Proxy, processes: Writers, source: Source
) -> None:
    """Nothing is closed and nothing fails: packets get lost in the middle of an append."""
    async with leader_and_standby(stage, proxy, pool, source, processes):
        proxy.cut = cut = Cut(3, is_armed=True, is_open=True)
        began = time.monotonic()
        await source.publish(100)
        await cut.done.wait()
        await assert_taken_over(pool, source, began)
    checked = await check_log(database)
    assert Counter(checked.heard) == Counter(source.published)


async def test_writers_that_start_together_never_fork_the_log(
    database: str, stage: Stage, pool: Pool, processes: Writers, source: Source
) -> None:
    """Four processes; the one that leads is killed again and again while events come in."""
    stage = replace(stage, lease_seconds=0.5)
    started = [processes.start(stage) for _ in range(4)]
    for _ in range(8):
        await source.publish(200)
        epoch = await pool.fetchval("SELECT epoch FROM head")
        victim = started.pop(0)
        send_signal(victim, signal.SIGKILL)
        started.append(processes.start(stage))
        await until(pool, "SELECT epoch > $1 OR leased_until > clock_timestamp() FROM head", epoch)
    await all_read(pool, len(source.published))
    checked = await check_log(database)
    assert Counter(checked.heard) == Counter(source.published)


async def test_writers_that_both_believe_to_lead_never_fork_the_log(
    database: str, stage: Stage, pool: Pool, source: Source
) -> None:
    """Two with the same epoch, as no lease would let them be, append at the same time: the head's size decides."""
    defeats: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        rivals = [group.create_task(append_without_lease(stage, pool, defeats)) for _ in range(2)]
        for _ in range(20):
            await source.publish(100)
        await all_read(pool, len(source.published))
        for rival in rivals:
            rival.cancel()
    checked = await check_log(database)
    assert checked.epoch == 0
    assert Counter(checked.heard) == Counter(source.published)
    assert defeats["Replaced"] > 0


async def append_without_lease(stage: Stage, pool: Pool, defeats: Counter[str]) -> None:
    """Appends under epoch 0 for ever, and begins anew whenever the other one was faster."""
    bus = PostgresBus(stage.bus_dsn)
    while True:
        conn = await connect(stage.dsn, schema="compliance", application="rival", settings={"steward.sites": "*"})
        try:
            async with conn.transaction(isolation="repeatable_read"):
                state, sealed = await store.select_state(conn), await store.select_sealed_size(conn)
            await _Lead(stage.writer(pool, bus), conn, 0, state, sealed).run()
        except Exception as exc:
            if not is_passing(exc):
                raise
            defeats[type(exc).__name__] += 1
        finally:
            conn.terminate()


async def test_a_guest_that_keeps_the_log_locked_is_ended(
    database: str, stage: Stage, pool: Pool, processes: Writers, source: Source
) -> None:
    """Who replays a message and is stopped in the middle holds up the writers for a while, and not for ever."""
    await source.publish(100)
    processes.start(stage)
    await all_read(pool, len(source.published))
    processes.start(stage)
    guest = await connect(stage.direct, schema="compliance", application="guest")
    async with asyncio.timeout(30):
        await guest.execute("BEGIN")
        await store.lock_epoch(guest)
        await source.publish(100)
        await all_read(pool, len(source.published))
    assert guest.is_closed()
    await check_log(database)
