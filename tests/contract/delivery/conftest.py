"""A service that counts, over each bus: its tables, its event type, its relay and its consumer."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from pydantic import create_model

from shared import quarantine
from shared.bus import Bus, Message
from shared.consumer import Consumer
from shared.database import Pool, open_pool
from shared.events import CONTRACTS, Event, EventData
from shared.migrate import migrate_service
from shared.relay import Relay
from shared.supervise import Supervisor
from shared.transactions import Transaction, begin

SERVICE = "counting"
WAIT_SECONDS = 60.0


class Counted(EventData):
    """The ``n``-th event of its subject."""

    n: int


class HandlerFailed(Exception):
    """What the handler raises when a test makes it fail."""


@dataclass
class Counting:
    """The service. ``failures`` says how often the handler still fails for an ``n``, and with what."""

    contract: type[Counted]
    dsn: str
    pool: Pool
    bus: Bus
    failures: dict[int, list[BaseException]] = field(default_factory=dict)
    handled: list[Event[Any]] = field(default_factory=list)

    @property
    def consumer(self) -> Consumer:
        """A consumer, to be run or used directly."""
        return Consumer(SERVICE, self.pool, self.bus, {self.contract: [self._apply]})

    @property
    def relay(self) -> Relay:
        """A relay, to be run."""
        return Relay(SERVICE, self.dsn, self.bus)

    async def _apply(self, tx: Transaction, event: Event[Counted]) -> None:
        await tx.conn.execute("INSERT INTO applied (subject, n) VALUES ($1, $2)", event.subject, event.data.n)
        if planned := self.failures.get(event.data.n):
            raise planned.pop()
        self.handled.append(event)

    async def record(self, *numbers: int, subject: str = "a") -> None:
        """Commits events with these numbers in one transaction."""
        async with begin(self.pool, SERVICE, actor="tester") as tx:
            for n in numbers:
                tx.record(self.contract(n=n), subject=subject, site_id="north")

    async def publish(self, *values: bytes, key: str = "a") -> None:
        """Puts raw messages on the topic, as a foreign producer would."""
        async with self.bus.publisher(f"foreign-{uuid4().hex}") as publisher:
            for value in values:
                await publisher.publish([Message(self.contract.event_type, key, value)])

    @asynccontextmanager
    async def running(self, *what: str) -> AsyncIterator[None]:
        """Runs the relay and the consumer, or those named, as a service does."""
        supervisor = Supervisor(SERVICE)
        work = {"relay": self.relay.run, "consumer": self.consumer.run}
        tasks = [asyncio.create_task(supervisor.keep_running(name, work[name])) for name in what or work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def applied(self, count: int) -> list[int]:
        """The effects in their order, once there are ``count`` of them."""
        return [row["n"] for row in await self._rows("SELECT n FROM applied ORDER BY place", count)]

    async def quarantined(self, count: int) -> list[asyncpg.Record]:
        """The quarantined messages by offset, once there are ``count``."""
        return await self._rows('SELECT * FROM quarantine ORDER BY "offset"', count)

    async def held(self, held_id: object) -> quarantine.Held:
        """One quarantined message."""
        async with self.pool.acquire() as conn:
            return await quarantine.select_one(conn, str(held_id))

    async def _rows(self, query: str, count: int) -> list[asyncpg.Record]:
        changed = asyncio.Event()

        def wake(*_: object) -> None:
            changed.set()

        async with self.pool.acquire() as conn, asyncio.timeout(WAIT_SECONDS):
            await conn.add_listener("counting_changed", wake)
            try:
                while len(rows := await conn.fetch(query)) < count:
                    await changed.wait()
                    changed.clear()
                return rows
            finally:
                await conn.remove_listener("counting_changed", wake)


@pytest.fixture
def contract() -> Iterator[type[Counted]]:
    """An event type that is this test's alone."""
    event_type = f"test.{uuid4().hex}"
    yield create_model("Counted", __base__=Counted, __cls_kwargs__={"event_type": event_type})
    del CONTRACTS[event_type]


@pytest.fixture
async def counting(contract: type[Counted], database: str, bus: Bus) -> AsyncIterator[Counting]:
    """The service, with nothing running."""
    await migrate_service(database, SERVICE, Path(__file__).parent / "migrations", None)
    await bus.create_topics([contract.topic])
    pool = await open_pool(database, schema=SERVICE, application=SERVICE)
    yield Counting(contract, database, pool, bus)
    await pool.close()
