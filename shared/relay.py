"""The relay: takes what handlers recorded from the outbox to the bus, in order; repeats carry the same sequence.

A crash at any line sends the same events with the same sequences again, so consumers can drop the repeat:
the batch on its way stands in the row ``relay`` before the first of its events is published.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from shared import telemetry
from shared.bus import Bus, Message, Publisher
from shared.database import Connection, connect
from shared.errors import Fenced
from shared.events import with_sequence
from shared.telemetry import log
from shared.transactions import OUTBOX_CHANNEL
from shared.turn import await_turn
from shared.waking import Listener

BATCH = 2_000
FALLBACK_SECONDS = 5.0
PACE_SECONDS = 0.02


@dataclass(frozen=True)
class Relay:
    """The relay of one service. Any number may run; the one whose turn it is works.

    It asks the database at least every FALLBACK_SECONDS, or as often as the bus takes a batch. One that has asked for
    nothing for ``silent_seconds`` loses its place to another, and the bus fences what it still publishes.
    """

    service: str
    dsn: str
    bus: Bus
    silent_seconds: float = 45.0

    async def run(self) -> None:
        """Works until it loses its connection, its lock or its name; the supervisor then starts it anew."""
        conn = await connect(self.dsn, schema=self.service, application=f"steward-relay-{self.service}")
        try:
            await await_turn(conn, f"relay {self.service}", self.silent_seconds)
            # The name is taken before the batch in flight is read: from here on no predecessor can publish.
            async with self.bus.publisher(self.service) as publisher:
                await self._work(conn, publisher)
        except Fenced as exc:
            log.warning("relay.fenced", service=self.service, reason=str(exc))
        finally:
            conn.terminate()

    async def _work(self, conn: "asyncpg.Connection[asyncpg.Record]", publisher: Publisher) -> None:
        listener = Listener(conn)
        await listener.listen(OUTBOX_CHANNEL.format(service=self.service))
        messages = await in_flight(conn)
        while True:
            if messages:
                # A batch has a price of its own: under a steady trickle, wait for more rather than pay it each time.
                async with at_least(0.0 if len(messages) == BATCH else PACE_SECONDS):
                    await self._publish(publisher, messages)
            listener.woken.clear()
            messages = await take_batch(conn, BATCH)
            if not messages:
                await listener.wait(FALLBACK_SECONDS)

    async def _publish(self, publisher: Publisher, messages: list[Message]) -> None:
        with telemetry.span("relay.publish", attributes={"service": self.service}):
            await publisher.publish(messages)
        for message in messages:
            telemetry.PUBLISHED.labels(self.service, message.topic).inc()
        log.debug("relay.published", service=self.service, events=len(messages))


@asynccontextmanager
async def at_least(seconds: float) -> AsyncIterator[None]:
    """Lets the block last ``seconds`` or longer."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    yield
    await asyncio.sleep(max(0.0, until - loop.time()))


async def in_flight(conn: Connection) -> list[Message]:
    """The batch that a predecessor had numbered and may or may not have published."""
    row = await conn.fetchrow("SELECT first_sequence, in_flight FROM relay")
    if row is None or not row["in_flight"]:
        return []
    found = await conn.fetch("SELECT topic, key, body FROM outbox WHERE id = ANY($1) ORDER BY id", row["in_flight"])
    return _numbered(row["first_sequence"], found)


async def take_batch(conn: Connection, limit: int) -> list[Message]:
    """Deletes the batch that was published, numbers the next one, and makes both durable in one commit.

    Sequences also keep up with the clock, in microseconds: after this database was restored to an earlier moment, new
    events still get higher ones than were ever published, and no consumer takes them for repeats.
    """
    async with conn.transaction():
        await conn.execute("DELETE FROM outbox WHERE id = ANY((SELECT in_flight FROM relay)::bigint[])")
        rows = await conn.fetch(
            """WITH batch AS (SELECT id, topic, key, body FROM outbox ORDER BY id LIMIT $1),
               start AS (
                   SELECT greatest(next_sequence, (extract(epoch FROM now()) * 1000000)::bigint) AS sequence
                   FROM relay),
               numbered AS (
                   UPDATE relay SET first_sequence = start.sequence,
                       in_flight = ARRAY(SELECT id FROM batch ORDER BY id),
                       next_sequence = start.sequence + (SELECT count(*) FROM batch)
                   FROM start WHERE in_flight <> '{}' OR EXISTS (SELECT FROM batch) RETURNING first_sequence)
               SELECT topic, key, body, first_sequence FROM batch, numbered ORDER BY id""",
            limit,
        )
    return _numbered(rows[0]["first_sequence"], rows) if rows else []


def _numbered(first: int, rows: "list[asyncpg.Record]") -> list[Message]:
    return [
        Message(row["topic"], row["key"], with_sequence(row["body"], sequence))
        for sequence, row in enumerate(rows, start=first)
    ]
