"""The audit log: a backlog of probe results on Kafka read into the full log, then searched, proved and verified.

The writer runs in `steward run compliance`, a process of its own. What is measured after the ingest is measured on the
log that it has left. STEWARD_BENCH_LOG_EVENTS says how many events there are.
"""

import asyncio
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter

import asyncpg

from benchmarks import log_reads, log_verify
from benchmarks.figure import Figure, within
from benchmarks.ground import Ground, House, execute
from benchmarks.probe_results import probe_results
from benchmarks.processes import Running, running
from services.compliance.checkpoints.keys import generate_key
from services.compliance.checkpoints.note import SignerKey
from services.compliance.log.bundle import split_entries, unpack
from services.compliance.log.index import EVENT_COLUMNS
from tests.parts.tessera import build_posix_log

EVENTS = int(os.environ.get("STEWARD_BENCH_LOG_EVENTS", "1000000"))
ORIGIN = "steward.example/log"
A_PUBLICATION = 2_000
A_COPY = 10_000
LOOK_SECONDS = 0.02
CHECKPOINT_SECONDS = 2.0

FLOOR = 25_000
OF_COPY = 0.5
MEGABYTES = 300
BYTES_PER_ENTRY = 300

BARE = """
CREATE SCHEMA bare;
CREATE TABLE bare.events (LIKE compliance.events INCLUDING INDEXES, raw bytea NOT NULL);
"""
BYTES = """
SELECT sum(pg_total_relation_size(pg_class.oid)) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname = 'compliance' AND relkind IN ('r', 'm')
"""


async def measure(ground: Ground) -> list[Figure]:
    """Ingest, memory and storage, then what is read of the log."""
    folder, key = ground.folder / "log", generate_key(ORIGIN)
    settings = signing(folder, key)
    async with ground.house("kafka") as house:
        await _publish(house)
        async with running(house, folder, ["compliance"], settings) as system:
            ours = await _ingest(house)
            await sealed(house)
            megabytes = _peak_megabytes(system)
            reads = await log_reads.measure(house, system)
            await sealed(house)
        stored = await bytes_per_entry(house)
        copied = await _copy_bare(house)
        tessera = await asyncio.to_thread(build_posix_log, folder / "tessera", ORIGIN, await _entries(house))
        verified = await log_verify.measure(house, folder, key.verifier)
    name = "Kafka to audit log"
    return [
        Figure(name, ours, "entries/s", "bare COPY of index rows and bytes", copied, max(FLOOR, OF_COPY * copied)),
        Figure(name, ours, "entries/s", "Tessera, POSIX, in process", tessera.entries_per_second, FLOOR),
        within(f"{name}, memory", megabytes, "MB", MEGABYTES),
        within("audit log, storage", stored, "bytes/entry", BYTES_PER_ENTRY),
        *reads,
        *verified,
    ]


def signing(folder: Path, key: SignerKey) -> dict[str, str]:
    """The settings of a service that publishes checkpoints."""
    published = folder / "published"
    published.mkdir(parents=True)
    return {
        "STEWARD_LOG_KEY": key.reveal(),
        "STEWARD_LOG_PUBLISHED": str(published / "checkpoint"),
        "STEWARD_LOG_CHECKPOINT_INTERVAL": str(CHECKPOINT_SECONDS),
    }


async def _publish(house: House) -> None:
    """Puts the whole backlog on the bus."""
    bus, messages = house.bus(), probe_results(EVENTS)
    async with bus.publisher("benchmark") as publisher:
        while piece := list(islice(messages, A_PUBLICATION)):
            await publisher.publish(piece)
    await bus.close()


async def _ingest(house: House) -> float:
    """Entries a second, from the first commit that is seen to the last."""
    conn = await asyncpg.connect(house.owner)
    first, last, began = 0, 0, perf_counter()
    while last < EVENTS:
        await asyncio.sleep(LOOK_SECONDS)
        query = "SELECT coalesce(sum(next_sequence), 0)::bigint FROM compliance.sites WHERE site_id <> 'group'"
        last = await conn.fetchval(query)
        if not first:
            first, began = last, perf_counter()
    seconds = perf_counter() - began
    await conn.close()
    return (last - first) / seconds


async def sealed(house: House) -> None:
    """Returns when a checkpoint of the whole log is published."""
    conn = await asyncpg.connect(house.owner)
    query = "SELECT size = (SELECT max(size) FROM compliance.checkpoints) FROM compliance.head"
    while not await conn.fetchval(query):
        await asyncio.sleep(LOOK_SECONDS)
    await conn.close()


def _peak_megabytes(system: Running) -> float:
    """The most memory that the process has had at any time: resident, shared pages included."""
    status = Path(f"/proc/{system.services['compliance'].pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


async def bytes_per_entry(house: House) -> float:
    """All tables and indexes of the service, outbox and positions among them."""
    conn = await asyncpg.connect(house.owner)
    await conn.execute("VACUUM")
    stored = int(await conn.fetchval(BYTES))
    size = int(await conn.fetchval("SELECT size FROM compliance.head"))
    await conn.close()
    return stored / size


async def _copy_bare(house: House) -> float:
    """Rows a second that asyncpg copies into a table with the index's columns and indexes, and the bytes beside."""
    await execute(house.owner, BARE)
    conn = await asyncpg.connect(house.owner)
    columns, seconds, entries = ", ".join(EVENT_COLUMNS), 0.0, await _entries(house)
    for start in range(0, len(entries), A_COPY):
        query = f"SELECT {columns} FROM compliance.events WHERE index >= $1 AND index < $2 ORDER BY index"  # noqa: S608 -- our own columns
        rows = await conn.fetch(query, start, start + A_COPY)
        records = [(*row, entry) for row, entry in zip(rows, entries[start : start + A_COPY], strict=False)]
        began = perf_counter()
        await conn.copy_records_to_table("events", schema_name="bare", records=records)
        seconds += perf_counter() - began
    await conn.close()
    await execute(house.owner, "DROP SCHEMA bare CASCADE")
    return len(entries) / seconds


async def _entries(house: House) -> Sequence[bytes]:
    """The entries of the log's complete chunks."""

    def split(rows: Sequence[asyncpg.Record]) -> Iterator[bytes]:
        for row in rows:
            yield from split_entries(unpack(row["body"]))

    conn = await asyncpg.connect(house.owner)
    rows = await conn.fetch("SELECT body FROM compliance.chunks ORDER BY start")
    await conn.close()
    return list(split(rows))
