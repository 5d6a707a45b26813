"""The embedded bus: publish and consume by one group at the same time, beside bare statements over the same rows."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

import asyncpg

from benchmarks.figure import Figure
from benchmarks.ground import Ground, House, cancel, execute
from benchmarks.stock import fill_outbox, in_pieces, stored_messages
from services.compliance.checkpoints.publish import Unsigned
from services.compliance.log.writer import Writer
from shared.bus import Bus, Message
from shared.consumer import Consumer, Reader
from shared.database import Pool, open_pool
from shared.events import Event
from shared.events.inventory import PersonChanged
from shared.transactions import Transaction

EVENTS = 30_000
RUNS = 3
CHECKPOINT_EVERY = timedelta(seconds=10)
READ_BY_LOG = "SELECT coalesce(sum(next_sequence), 0) FROM sites WHERE site_id <> 'group'"
TABLES = """
CREATE TABLE compliance.noted (event_id text PRIMARY KEY, subject text NOT NULL);
CREATE TABLE compliance.copied ("offset" bigint PRIMARY KEY, key text NOT NULL, value bytea NOT NULL);
"""

MakeReader = Callable[[House, Pool, Bus], Reader]


async def note(tx: Transaction, event: Event[PersonChanged]) -> None:
    """One INSERT an event: what a small handler does."""
    await tx.conn.execute("INSERT INTO noted VALUES ($1, $2)", event.id, event.subject)


def noting(_: House, pool: Pool, bus: Bus) -> Reader:
    """An ordinary consumer."""
    return Consumer("compliance", pool, bus, {PersonChanged: [note]})


def appending(house: House, pool: Pool, bus: Bus) -> Reader:
    """The writer of the audit log."""
    return Writer(house.login("compliance"), pool, bus, CHECKPOINT_EVERY, Unsigned())


async def measure(ground: Ground) -> list[Figure]:
    """The middle one of three runs of each reader, with a bare run of the same rows beside each."""
    return [
        await _compare(ground, "postgres bus to the audit log", 8_000, appending, READ_BY_LOG),
        await _compare(ground, "postgres bus, one INSERT an event", 3_000, noting, "SELECT count(*) FROM noted"),
    ]


async def _compare(ground: Ground, name: str, floor: float, make_reader: MakeReader, count: str) -> Figure:
    ours, bare = [], []
    for _ in range(RUNS):
        async with ground.house("postgres") as house:
            await execute(house.owner, TABLES)
            pool = await open_pool(house.owner, schema="compliance", application="benchmark")
            await fill_outbox(pool, "compliance", EVENTS)
            messages = await stored_messages(pool)
            bare.append(EVENTS / await _bare(pool, messages))
            await pool.execute("TRUNCATE noted")
            ours.append(EVENTS / await _through_the_bus(house, pool, messages, make_reader, count))
            await pool.close()
    peer = "bare COPY in, SELECT back, COPY out; 1,000 a transaction"
    return Figure(name, median(ours), "events/s", peer, median(bare), floor)


async def _through_the_bus(
    house: House, pool: Pool, messages: Sequence[Message], make_reader: MakeReader, count: str
) -> float:
    """Seconds from the first publish to the commit of the last effect."""
    bus = house.bus()
    reading = asyncio.create_task(make_reader(house, pool, bus).run())
    async with bus.publisher("benchmark") as publisher:
        began = perf_counter()
        for piece in in_pieces(messages):
            await publisher.publish(piece)
        while await pool.fetchval(count) < len(messages):
            await asyncio.sleep(0.02)
        seconds = perf_counter() - began
    await cancel(reading)
    await bus.close()
    return seconds


async def _bare(pool: Pool, messages: Sequence[Message]) -> float:
    """Seconds to write the same rows, read them back in order and note each: the same bytes through the same server."""
    rows = [(n, message.key, message.value) for n, message in enumerate(messages)]
    began = perf_counter()
    async with pool.acquire() as conn:
        for piece in in_pieces(rows):
            await conn.copy_records_to_table("copied", records=piece)
        for start in range(0, len(rows), 1_000):
            async with conn.transaction():
                found = await _read(conn, start)
                await conn.copy_records_to_table("noted", records=found)
    return perf_counter() - began


async def _read(conn: Any, start: int) -> list[tuple[str, str]]:
    found: list[asyncpg.Record] = await conn.fetch(
        'SELECT "offset", key, value FROM copied WHERE "offset" >= $1 ORDER BY "offset" LIMIT 1000', start
    )
    return [(str(row["offset"]), row["key"]) for row in found]
