"""From the answer of an API to the event's place in the audit trail, at 100 writes a second, on each bus.

Visible means committed: one connection asks the log's index for new rows every 5 ms, and what it finds counts from the
moment its answer has arrived, so that the true delays are up to 5 ms shorter. The peer is a bare row that is inserted
at the same pace into the same database and found in the same way: no outbox, no bus, no consumer.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import perf_counter
from uuid import uuid4

import asyncpg

from benchmarks.client import client
from benchmarks.figure import Figure
from benchmarks.ground import Ground, House, cancel, execute
from benchmarks.processes import running
from services.compliance.log.index import correlation_digest
from services.registry import OWNING_DATA

PER_SECOND = 100
SECONDS = 10
ROUNDS = 3
WARM_UP_SECONDS = 3
LOOK_SECONDS = 0.005
LOOK_BACK = 50
LIMIT_MS = 250
BARE = "CREATE TABLE compliance.bare (index bigserial PRIMARY KEY, correlation bigint NOT NULL)"

SITE = {"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"}

Write = Callable[[str], Awaitable[None]]


@dataclass
class Watch:
    """When each write was answered, and when it was seen, by the digest of its correlation id."""

    conn: "asyncpg.Connection[asyncpg.Record]"
    table: str
    answered: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    async def look(self) -> None:
        """Looks for new rows for ever."""
        query = f"SELECT index, correlation FROM compliance.{self.table} WHERE index > $1 ORDER BY index"  # noqa: S608 -- our own tables
        prepared, last = await self.conn.prepare(query), -1
        while True:
            # A bare row may commit after one with a higher number, so the last few are looked at again.
            found = await prepared.fetch(last - LOOK_BACK)
            now = perf_counter()
            self.seen = {row["correlation"]: now for row in found} | self.seen
            last = found[-1]["index"] if found else last
            await asyncio.sleep(LOOK_SECONDS)

    async def wait_for_all(self) -> None:
        """Returns when all that was answered was seen."""
        async with asyncio.timeout(60):
            while self.answered.keys() - self.seen.keys():
                await asyncio.sleep(0.05)

    def p99_ms(self) -> float:
        """The delay that 99 of 100 writes keep, in milliseconds."""
        return 1000 * quantiles((self.seen[flow] - at for flow, at in self.answered.items()), n=100)[98]


async def measure(ground: Ground) -> list[Figure]:
    """All services as processes of their own on either bus, asked to register people."""
    return [await _measure_on(ground, kind) for kind in ("postgres", "kafka")]


async def _measure_on(ground: Ground, kind: str) -> Figure:
    async with ground.house(kind) as house, running(house, ground.folder / kind, OWNING_DATA) as system:
        await execute(house.owner, BARE)
        url = f"{system.services['inventory'].url}/v1"
        async with asyncpg.create_pool(house.owner) as pool, client(url, system.token) as inventory:

            async def insert(flow: str) -> None:
                await pool.execute("INSERT INTO compliance.bare (correlation) VALUES ($1)", correlation_digest(flow))

            async def register(flow: str) -> None:
                person = {
                    "site_id": "north",
                    "name": "Ada Berg",
                    "email": f"{flow}@example.org",
                    "roles": ["clinician"],
                }
                await inventory.post("/people", person, flow)

            bare = await _p99(house, "bare", insert)
            await inventory.post("/sites", SITE, "site")
            ours = await _p99(house, "events", register)
    name = f"API answer to audit trail, p99 ({kind} bus)"
    return Figure(name, ours, "ms", "a bare INSERT, seen by the same eyes", bare, LIMIT_MS, at_most=True)


async def _p99(house: House, table: str, write: Write) -> float:
    """The middle one of three rounds, after one that only warms up."""
    await _round(house, table, write, WARM_UP_SECONDS)
    return median([await _round(house, table, write, SECONDS) for _ in range(ROUNDS)])


async def _round(house: House, table: str, write: Write, seconds: float) -> float:
    conn = await asyncpg.connect(house.owner)
    watch = Watch(conn, table)
    looking = asyncio.create_task(watch.look())
    began = perf_counter()
    async with asyncio.TaskGroup() as writes:
        for number in range(int(PER_SECOND * seconds)):
            await asyncio.sleep(began + number / PER_SECOND - perf_counter())
            writes.create_task(_timed(write, watch))
    await watch.wait_for_all()
    await cancel(looking)
    await conn.close()
    return watch.p99_ms()


async def _timed(write: Write, watch: Watch) -> None:
    flow = str(uuid4())
    await write(flow)
    watch.answered[correlation_digest(flow)] = perf_counter()
