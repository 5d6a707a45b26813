"""What proofs are made of comes in one query, whatever the log's size, and while it grows and is pruned."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import product

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from services.compliance.log.api import prove_consistency, prove_inclusion
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Damaged
from services.compliance.log.handlers import read_proof_tiles, read_tiles
from services.compliance.log.proofs import Plan, plan_consistency, plan_inclusions
from services.compliance.log.store import select_tiles_of_proofs
from shared.database import Pool, close_pool, open_pool
from shared.errors import NotFound
from tests.conftest import execute
from tests.integration.compliance.search.chance import call_of, event, fill
from tests.integration.conftest import login

ENTRIES = 600
PRUNE = """
INSERT INTO compliance.archives (partition, state, asked_by, asked_at, correlation_id, location)
VALUES (0, 'archived', 'anna', now(), 'flow', 'file:///archive');
SELECT compliance.prune_partition(0);
"""
PUBLISH = "INSERT INTO compliance.checkpoints SELECT size, 'a note', now() FROM compliance.manifests"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND wait_event_type = 'Lock'"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to a log with a checkpoint: one partition of 512 is complete, and the last chunk is not."""
    chance = random.Random(6)
    await fill(database, [[event(chance, number) for number in range(ENTRIES)]])
    await execute(database, PUBLISH)
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test", max_size=1)
    yield pool
    await close_pool(pool)


def plans() -> list[tuple[list[int], Plan]]:
    """Proofs from leaves in each chunk to the roots of trees of many widths, with the leaves that they are from."""
    sizes = (1, 2, 63, 64, 65, 255, 256, 257, 511, 512, 513, 599, 600, 601)
    inclusions = [
        ([index], plan_inclusions([index], size)) for index, size in product(range(0, 601, 50), sizes) if index < size
    ]
    consistencies = [([old - 1], plan_consistency(old, new)) for old, new in product(sizes, sizes) if old <= new]
    return inclusions + consistencies


async def test_one_query_has_the_tiles_of_every_proof(pool: Pool) -> None:
    """They are those that are served one by one."""
    async with pool.acquire() as conn:
        for indices, plan in plans():
            stored = await read_proof_tiles(conn, indices, plan.size)
            assert stored.published == ENTRIES + 1
            assert stored.pick(plan.tiles) == await read_tiles(conn, plan.tiles)


async def test_no_level_of_a_large_tree_is_forgotten(pool: Pool) -> None:
    """Of trees to 2**50 entries, all tiles above the leaves that a proof of either kind needs are looked up."""
    chance = random.Random(7)
    async with pool.acquire() as conn:
        for _ in range(200):
            size = chance.randrange(1, 1 << chance.randrange(1, 51))
            index = chance.randrange(size)
            found = (await select_tiles_of_proofs(conn, [index], size)).hashes
            needed = plan_inclusions([index], size).tiles | plan_consistency(index + 1, size).tiles
            assert {(tile.level, tile.number) for tile in needed if tile.level} <= found.keys()


async def test_a_proof_takes_one_round_trip(pool: Pool) -> None:
    """Of inclusion and of consistency, the newest checkpoint's size included."""
    seen: list[str] = []

    def count(query: LoggedQuery) -> None:
        seen.append(query.query)

    call = call_of(pool, "auditor:north")
    async with pool.acquire() as conn:
        # The first time, the driver asks what the types of the columns are.
        await read_proof_tiles(conn, [5])
        conn.add_query_logger(count)
    assert (await prove_inclusion(call, 5)).size == ENTRIES + 1
    assert (await prove_consistency(call, 300)).new == ENTRIES + 1
    assert seen == ["SELECT * FROM tiles_of_proofs($1, $2)"] * 2


async def test_nothing_is_proved_before_the_first_checkpoint(pool: Pool, database: str) -> None:
    """What is not published may still change."""
    await execute(database, "DELETE FROM compliance.checkpoints")
    for asked in (prove_inclusion(call_of(pool, "auditor:*"), 5), prove_consistency(call_of(pool, "auditor:*"), 5, 7)):
        with pytest.raises(NotFound, match="no checkpoint of the log was published yet"):
            await asked


@pytest.mark.parametrize("start", [CHUNK, 512, 576])
async def test_chunk_that_is_missing_is_not_made_up_for_by_the_next(pool: Pool, database: str, start: int) -> None:
    """A tile ends before it, however many hashes there are behind."""
    await execute(database, f"DELETE FROM compliance.chunks WHERE start = {start}")
    await execute(database, f"UPDATE compliance.head SET tail_hashes = '' WHERE {start} = 576")
    plan = plan_inclusions([start + 1], start + 20)
    async with pool.acquire() as conn:
        stored = await read_proof_tiles(conn, [start + 1], plan.size)
    with pytest.raises(Damaged, match=r"hashes of tile/0/.* are missing; run `steward log verify`"):
        stored.pick(plan.tiles)


async def test_proof_that_meets_a_prune_is_whole(pool: Pool, database: str) -> None:
    """It waits until the chunks are dropped, and is then made of the leaf hashes that were kept."""
    call = call_of(pool, "auditor:north")
    before = await prove_inclusion(call, 5)
    owner = await asyncpg.connect(database)
    watcher = await asyncpg.connect(database)
    try:
        pruning = owner.transaction()
        await pruning.start()
        await owner.execute(PRUNE)
        asked = asyncio.create_task(prove_inclusion(call, 5))
        while not await watcher.fetchval(WAITS):
            assert not asked.done()
            await asyncio.sleep(0)
        await pruning.commit()
        assert await asked == before
    finally:
        await owner.close()
        await watcher.close()
