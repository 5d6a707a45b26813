"""Reading entries takes the memory of these entries, whatever stands beside them."""

import tracemalloc

import asyncpg

from services.compliance.log import store
from services.compliance.log.bundle import CHUNK, join_entries, pack

ENTRY_BYTES = 40_000
CHUNKS = 20
MOST = 12_000_000


async def test_one_entry_of_each_chunk_does_not_bring_the_others(database: str) -> None:
    """All that the chunks hold would be 51 MB; a chunk with its entries is 5, and what was asked for less than one."""
    conn = await asyncpg.connect(database, server_settings={"search_path": "compliance"})
    await conn.execute("SELECT make_partition(0)")
    entry = b"e" * ENTRY_BYTES
    body = pack(join_entries([entry] * CHUNK))
    starts = range(0, CHUNKS * CHUNK, CHUNK)
    await conn.executemany(
        "INSERT INTO chunks (start, body, hashes, recorded_at) VALUES ($1, $2, $3, now())",
        [(start, body, bytes(2048)) for start in starts],
    )
    wanted = [start + 7 for start in starts]
    tracemalloc.start()
    try:
        found = await store.select_entries(conn, wanted)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    await conn.close()
    assert found == dict.fromkeys(wanted, entry)
    assert peak < MOST
