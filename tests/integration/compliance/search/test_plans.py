"""A page costs what it shows, and not what the log holds: indexes are read in their order until there is enough."""

import asyncio
import random
import re

import asyncpg
import pytest

from services.compliance.log.index import digest
from services.compliance.search.handlers import looking
from services.compliance.search.places import Span
from services.compliance.search.store import Sought, select_places
from shared.database import close_pool, open_pool
from tests.integration.compliance.search.chance import call_of, event, fill
from tests.integration.conftest import login

SHAPES = {
    "everything": Sought(),
    "one kind": Sought(sites=[0], types=[0]),
    "several types": Sought(types=[1, 2]),
    "subject": Sought(subject=digest("system-1")),
    "subject of one site": Sought(subject=digest("system-1"), sites=[0]),
    "life": Sought(about=digest("system-1"), types=[1, 2, 3, 4]),
    "actor": Sought(actor=digest("anna")),
    "failures": Sought(outcomes=[8]),
}


@pytest.mark.parametrize("is_down", [True, False])
async def test_no_shape_of_question_reads_a_table_or_sorts_all_that_it_finds(database: str, is_down: bool) -> None:
    """In a log of several partitions, with row-level security: each is an index scan, and they are merged."""
    chance = random.Random(9)
    await fill(database, [[event(chance, number * 500 + n) for n in range(500)] for number in range(4)])
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    try:
        for name, sought in SHAPES.items():
            asked: list[asyncpg.connection.LoggedQuery] = []
            async with looking(call_of(pool, "auditor:*")) as conn:
                with conn.query_logger(asked.append):
                    assert await select_places(conn, sought, Span(), is_down=is_down, limit=10)
                # The driver tells of its queries once the event loop turns.
                await asyncio.sleep(0)
                told = next(query for query in asked if "FROM events" in query.query)
                plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN (COSTS OFF) {told.query}", *told.args))
            assert "using events_" in plan, f"{name}\n{plan}"
            waste = re.search(r"Seq Scan on (events|mentions)|Bitmap|-> +Append\s+-> +Index", plan)
            assert waste is None, f"{name}: {waste[0]}\n{plan}"
    finally:
        await close_pool(pool)
