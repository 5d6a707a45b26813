"""The audit log at ten million entries: whether it takes in as many a second as at first, and how it is read then.

The entries go from memory into the tables, by what the writer does with each batch. Runs only when it is named.
STEWARD_BENCH_LOG_LONG says how many entries, in whole millions.
"""

import os
from datetime import UTC, datetime
from itertools import islice
from time import perf_counter

from benchmarks import log, log_reads
from benchmarks.figure import Figure, within
from benchmarks.ground import Ground, House
from benchmarks.probe_results import probe_results
from benchmarks.processes import running
from services.compliance.checkpoints.keys import generate_key
from services.compliance.log import store
from services.compliance.log.append import grow
from services.compliance.log.domain import Arrival
from services.compliance.log.reading import read_arrival
from shared.bus import Message
from shared.database import connect
from shared.transactions import new_id

MILLION = 1_000_000
MILLIONS = int(os.environ.get("STEWARD_BENCH_LOG_LONG", "10000000")) // MILLION
A_BATCH = 8_000
OF_FIRST = 0.9


async def measure(ground: Ground) -> list[Figure]:
    """The last million beside the first, then storage and what is read."""
    folder = ground.folder / "log_long"
    settings = log.signing(folder, generate_key(log.ORIGIN))
    async with ground.house("postgres") as house:
        rates = await _fill(house)
        stored = await log.bytes_per_entry(house)
        async with running(house, folder, ["compliance"], settings) as system:
            await log.sealed(house)
            reads = await log_reads.measure(house, system)
    name = f"the {MILLIONS} millionth entries into the log"
    return [
        Figure(name, rates[-1], "entries/s", "the first million", rates[0], OF_FIRST * rates[0]),
        within("audit log, storage", stored, "bytes/entry", log.BYTES_PER_ENTRY),
        *reads,
    ]


async def _fill(house: House) -> list[float]:
    """Entries a second of each million; the time in which the events are made is not counted."""
    dsn = house.login("compliance")
    conn = await connect(dsn, schema="compliance", application="benchmark", settings={"steward.sites": "*"})
    state, messages, rates = await store.select_state(conn), probe_results(MILLIONS * MILLION), []
    for _ in range(MILLIONS):
        seconds = 0.0
        for _ in range(MILLION // A_BATCH):
            batch = list(islice(messages, A_BATCH))
            began = perf_counter()
            growth = grow(state, [_arrival(one) for one in batch], datetime.now(UTC), new_id())
            async with conn.transaction():
                await store.append(conn, growth, epoch=0, lease_seconds=0)
            state = growth.after
            seconds += perf_counter() - began
        rates.append(MILLION / seconds)
    await conn.close()
    return rates


def _arrival(message: Message) -> Arrival:
    return read_arrival(message.value, topic=message.topic, now=datetime.now(UTC))
