"""What the bus dropped before the log had read it is an entry, and an alarm."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.compliance.log.writer import SERVICE
from shared.bus import Bus
from shared.database import Pool, open_pool
from shared.events.probes import ProbeResult
from shared.relay import Relay
from shared.supervise import Supervisor
from tests.contract.bus.test_gaps import Dropper
from tests.integration.compliance.appending.checking import Checked, check_log
from tests.integration.compliance.appending.stage import TOPIC, Source, Stage
from tests.integration.compliance.appending.test_crashes import all_read
from tests.news import until


@asynccontextmanager
async def appending(stage: Stage, pool: Pool, bus: Bus) -> AsyncIterator[None]:
    """The writer and the relay of compliance, which takes its events to the bus."""
    supervisor = Supervisor(SERVICE)
    work = {"consumer": stage.writer(pool, bus).run, "relay": Relay(SERVICE, stage.dsn, bus).run}
    tasks = [asyncio.create_task(supervisor.keep_running(name, run)) for name, run in work.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def told(checked: Checked) -> list[tuple[int, int, int]]:
    """Partition, first and end of each loss that is an entry; there is an alert for each."""
    losses = [json.loads(event)["data"] for event in checked.of_type("log.events_lost")]
    alerts = [json.loads(event) for event in checked.of_type("alert.raised")]
    assert all(loss["topic_name"] == TOPIC for loss in losses)
    assert sorted(alert["subject"] for alert in alerts) == sorted(f"{TOPIC}/{loss['partition']}" for loss in losses)
    assert all(alert["data"]["severity"] == "critical" for alert in alerts)
    return [(loss["partition"], loss["first"], loss["end"]) for loss in losses]


async def until_told(database: str, losses: int) -> None:
    """Returns when that many losses are entries, and their alerts too."""
    owner = await open_pool(database, schema=SERVICE, application="test-owner", max_size=1)
    await until(
        owner,
        """SELECT coalesce(sum(count), 0) >= $1 FROM days JOIN types ON number = days.type
           WHERE types.type IN ('log.events_lost', 'alert.raised')""",
        2 * losses,
    )
    owner.terminate()


async def test_events_that_were_dropped_before_they_were_read_are_told_once(
    database: str, stage: Stage, pool: Pool, either_bus: Bus, kafka_or_none: str | None
) -> None:
    """While the log's writer was away, the retention took what it had not read; what came later is read as ever."""
    stage, source = replace(stage, kafka=kafka_or_none), Source(either_bus)
    address = ("postgres", database) if kafka_or_none is None else ("kafka", kafka_or_none)
    dropper = Dropper(either_bus, address, TOPIC, ProbeResult.topic.partitions)
    await source.publish(100)
    async with appending(stage, pool, either_bus):
        await all_read(pool, 100)
    read = {row[0]: row[1] for row in await pool.fetch("SELECT partition, next_offset FROM positions")}
    await source.publish(100)
    await dropper.drop()
    await source.publish(50)
    kept = [*source.published[:100], *source.published[200:]]
    async with appending(stage, pool, either_bus):
        await until_told(database, len(read))
        await all_read(pool, len(kept))
    first = await check_log(database)
    assert sorted((partition, start) for partition, start, _ in told(first)) == sorted(read.items())
    assert all(end > start for _, start, end in told(first))
    assert sorted(first.of_type(TOPIC)) == sorted(kept)

    async with appending(stage, pool, either_bus):
        await source.publish(50)
        await all_read(pool, len(kept) + 50)
    again = await check_log(database)
    assert told(again) == told(first)
