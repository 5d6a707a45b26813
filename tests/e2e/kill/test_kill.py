"""20,000 events through outbox, relay, bus and consumer while everything is killed: each applied once, in order."""

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.events import Topic
from shared.migrate import migrate_bus, migrate_service
from tests.e2e.kill.chaos import Chaos
from tests.e2e.kill.worker import SERVICE, Scene
from tests.parts.kafka import KafkaBroker

EVENTS = 20_000
SECONDS = 15.0
KILLS = 50
BROKER_KILLS = 5
CUTS = 10
ZOMBIES = 3
DRAIN_SECONDS = 120.0


def seeds() -> list[int]:
    """Random seeds, as many as STEWARD_KILL_SEEDS says; STEWARD_KILL_SEED repeats one run."""
    if fixed := os.environ.get("STEWARD_KILL_SEED"):
        return [int(fixed)]
    return [random.SystemRandom().randrange(2**32) for _ in range(int(os.environ.get("STEWARD_KILL_SEEDS", "3")))]


SEEDS = seeds()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that may be killed."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka-to-kill")) as broker:
        yield broker


@pytest.fixture(params=["postgres", "kafka"])
def victim(request: pytest.FixtureRequest) -> KafkaBroker | None:
    """The broker, or None for the embedded bus."""
    return request.getfixturevalue("broker") if request.param == "kafka" else None


@pytest.fixture
async def scene(database: str, victim: KafkaBroker | None) -> Scene:
    """Tables, topic and addresses."""
    await migrate_service(database, SERVICE, Path(__file__).parent / "migrations", None)
    await migrate_bus(database, None)
    bus: Bus = PostgresBus(database) if victim is None else KafkaBus(KafkaAccess(victim.bootstrap))
    topic = f"test.{os.urandom(4).hex()}"
    await bus.create_topics([Topic(topic, 6, timedelta(days=1), compacted=False)])
    await bus.close()
    return Scene(database, victim.bootstrap if victim else None, topic, EVENTS, SECONDS)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(len(SEEDS)))
async def test_each_event_is_applied_once_and_in_order_whatever_is_killed(
    scene: Scene, victim: KafkaBroker | None, number: int, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL to relay, consumer and producer, the broker, cut connections, zombies: nothing lost, nothing twice."""
    seed = SEEDS[number]
    record_property("seed", seed)
    conn = await asyncpg.connect(scene.database, server_settings={"search_path": SERVICE})
    chaos = Chaos(scene, conn, victim, random.Random(seed))
    chaos.start_all()
    try:
        for act in chaos.plan(KILLS, BROKER_KILLS, CUTS, ZOMBIES):
            await chaos.progress(chaos.rng.randrange(300))
            await act()
        async with asyncio.timeout(DRAIN_SECONDS):
            while await chaos.applied() < EVENTS or await conn.fetchval("SELECT count(*) FROM outbox"):
                await chaos.progress(EVENTS)
    finally:
        chaos.stop_all()
    expected = {"connections cut": CUTS, "zombie raised": ZOMBIES} | ({"broker killed": BROKER_KILLS} if victim else {})
    assert {act: count for act, count in chaos.done.items() if not act.startswith("killed")} == expected
    assert sum(count for act, count in chaos.done.items() if act.startswith("killed")) == KILLS
    await assert_applied_once_and_in_order(conn)
    await conn.close()


async def assert_applied_once_and_in_order(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The effects of each subject are 1, 2, 3 … to its last event, in that order, and nothing lies in quarantine."""
    assert await conn.fetchval("SELECT sum(n) FROM counters") == EVENTS
    assert await conn.fetchval("SELECT count(*) FROM applied") == EVENTS
    disorder = await conn.fetch(
        """SELECT * FROM (
               SELECT subject, n, row_number() OVER (PARTITION BY subject ORDER BY place) AS nth FROM applied) AS a
           WHERE n <> nth"""
    )
    assert disorder == []
    assert await conn.fetchval("SELECT count(*) FROM quarantine") == 0
