"""A page of one site and type comes in one statement, and shows one moment of the log."""

import asyncio
import random
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Damaged
from services.compliance.log.entry import Entry, build_entry
from services.compliance.log.tree import leaf_hash
from services.compliance.search.domain import FoundPage, PageAsked, Query
from services.compliance.search.handlers import find_page
from services.compliance.search.places import Cursor, Order
from shared.database import Pool, close_pool, open_pool
from tests.conftest import execute
from tests.integration.compliance.search.chance import START, call_of, entries_of, event, fill
from tests.integration.conftest import login

QUERY = Query(site_id="north", types=frozenset({"probe.result"}))
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND wait_event_type = 'Lock'"
PRUNE = """
INSERT INTO compliance.archives (partition, state, asked_by, asked_at, correlation_id, location)
VALUES (0, 'archived', 'anna', now(), 'flow', 'file:///archive');
SELECT compliance.prune_partition(0);
"""

Ask = Callable[[PageAsked], Coroutine[Any, Any, FoundPage]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to a log of 601 entries: one partition of 512 is complete, and the last chunk is not."""
    chance = random.Random(5)
    told = [_result(chance, number) for number in range(600)]
    await fill(database, [told])
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test", max_size=1)
    yield pool
    await close_pool(pool)


def _result(chance: random.Random, number: int) -> dict[str, Any]:
    time = (START + timedelta(seconds=number)).isoformat()
    return event(chance, number, type="probe.result", siteid="north", time=time)


@pytest.fixture
def ask(pool: Pool) -> Ask:
    """Asks in the name of an auditor of the site."""
    return lambda asked: find_page(call_of(pool, "auditor:north"), QUERY, asked)


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_go_across_the_unfinished_chunk(ask: Ask, pool: Pool, order: Order) -> None:
    """Every entry is shown once, with the hash of its bytes, from the complete chunks and from the head's tail."""
    due = {told["index"]: told["raw"] for told in await entries_of(pool) if told["siteid"] == "north"}
    assert max(due) % CHUNK != CHUNK - 1
    shown: list[int] = []
    cursor: Cursor | None = None
    while not shown or cursor is not None:
        page = await ask(PageAsked(cursor=cursor, order=order, limit=50))
        for item in page.found.items:
            raw = build_entry(Entry(item.site_id, item.site_sequence, item.recorded_at, bytes(item.event)))
            assert (raw, b64decode(item.leaf_hash)) == (due[item.index], leaf_hash(due[item.index]))
        shown += [item.index for item in page.found.items]
        cursor = page.found.rest
    assert shown == sorted(due, reverse=order == "desc")


async def test_page_that_meets_a_prune_shows_what_is_left(ask: Ask, database: str) -> None:
    """It waits for the prune to end, and then it neither fails nor shows half of what was dropped."""
    owner = await asyncpg.connect(database)
    watcher = await asyncpg.connect(database)
    try:
        await ask(PageAsked(limit=1))
        pruning = owner.transaction()
        await pruning.start()
        await owner.execute(PRUNE)
        asked = asyncio.create_task(ask(PageAsked(order="asc", limit=500)))
        while not await watcher.fetchval(WAITS):
            assert not asked.done()
            await asyncio.sleep(0)
        await pruning.commit()
        assert [item.index for item in (await asked).found.items] == list(range(512, 600))
    finally:
        await owner.close()
        await watcher.close()


async def test_page_whose_chunk_is_missing_is_refused(ask: Ask, database: str) -> None:
    """What the index names and the log has not is damage, and is never left out in silence."""
    await execute(database, f"DELETE FROM compliance.chunks WHERE start = {2 * CHUNK}")
    with pytest.raises(Damaged, match=f"entry {2 * CHUNK} is missing"):
        await ask(PageAsked(order="asc", limit=500))
    assert len((await ask(PageAsked(order="asc", limit=100))).found.items) == 100


async def test_question_leaves_no_trace_in_the_session(ask: Ask, pool: Pool) -> None:
    """The connection's next user finds neither the sites nor the planner's settings of this one."""
    settings = "SELECT name, setting FROM pg_settings WHERE name NOT LIKE 'plpgsql.%'"
    async with pool.acquire() as conn:
        before = await conn.fetch(settings)
    await ask(PageAsked())
    await find_page(call_of(pool, "auditor:*"), Query(), PageAsked())
    async with pool.acquire() as conn:
        assert await conn.fetch(settings) == before
        assert await conn.fetchval("SELECT count(*) FROM events") == 0
