"""The processes that are killed: a producer, relays and consumers, each built of the same parts as a service.

They are forked from a server that has imported all this, so that a new one is up in milliseconds.
"""

import asyncio
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from pydantic import create_model

from shared import telemetry
from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.consumer import Consumer
from shared.database import Pool, is_transient, open_pool
from shared.events import Event, EventData
from shared.relay import Relay
from shared.supervise import Supervisor
from shared.transactions import Transaction, begin

SERVICE = "killtest"
SUBJECTS = 200


class Counted(EventData):
    """The ``n``-th event of its subject."""

    n: int


@dataclass(frozen=True)
class Scene:
    """Where the processes work."""

    database: str
    kafka: str | None
    topic: str
    total: int
    seconds: float

    def contract(self) -> type[Counted]:
        """The run's own event type, so that a broker can serve one run after the other."""
        return create_model("Counted", __base__=Counted, __cls_kwargs__={"event_type": self.topic})

    def bus(self) -> Bus:
        """The bus under test."""
        if self.kafka is None:
            return PostgresBus(self.database)
        return KafkaBus(KafkaAccess(self.kafka, session_seconds=1.0))


def produce(scene: Scene) -> None:
    """Records events until there are ``total`` of them, at a pace that takes about ``seconds``."""
    _run(_produce(scene))


def relay(scene: Scene) -> None:
    """Runs a relay for ever."""
    _run(Supervisor(SERVICE).keep_running("relay", Relay(SERVICE, scene.database, scene.bus()).run))


def consume(scene: Scene) -> None:
    """Runs a consumer for ever."""
    _run(_consume(scene))


def _run(work: Coroutine[Any, Any, None]) -> None:
    telemetry.configure_logs("warning")
    asyncio.run(work)


async def _produce(scene: Scene) -> None:
    pool = await open_pool(scene.database, schema=SERVICE, application="producer", max_size=2)
    contract, recorded = scene.contract(), 0
    while recorded < scene.total:
        try:
            recorded = await _record(pool, contract, random.randint(1, 60), scene.total)
        except Exception as exc:
            if not is_transient(exc):
                raise
        await asyncio.sleep(30 * scene.seconds / scene.total)


async def _record(pool: Pool, contract: type[Counted], count: int, total: int) -> int:
    """Counts up random subjects and records an event for each, in one transaction; returns the new total."""
    async with begin(pool, SERVICE, actor="producer") as tx:
        recorded: int = await tx.conn.fetchval("SELECT sum(n) FROM counters")
        subjects = sorted(f"subject-{random.randrange(SUBJECTS)}" for _ in range(min(count, total - recorded)))
        for subject in subjects:
            n = await tx.conn.fetchval("UPDATE counters SET n = n + 1 WHERE subject = $1 RETURNING n", subject)
            tx.record(contract(n=n), subject=subject, site_id="north")
    return recorded + len(subjects)


async def _consume(scene: Scene) -> None:
    pool = await open_pool(scene.database, schema=SERVICE, application="consumer", max_size=2)
    consumer = Consumer(SERVICE, pool, scene.bus(), {scene.contract(): [_apply]})
    await Supervisor(SERVICE).keep_running("consumer", consumer.run)


async def _apply(tx: Transaction, event: Event[Counted]) -> None:
    await tx.conn.execute("INSERT INTO applied (subject, n) VALUES ($1, $2)", event.subject, event.data.n)
