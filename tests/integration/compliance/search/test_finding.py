"""Search gives what a plain filter over all entries gives, page by page, in both orders and both directions."""

import random
from collections.abc import Sequence

import pytest

from services.compliance.search.domain import PageAsked, Query
from services.compliance.search.handlers import STATEMENT_SECONDS, find_page, looking
from services.compliance.search.places import Cursor, Order, Span
from shared.database import close_pool, open_pool
from shared.errors import Malformed
from shared.http import Call
from tests.integration.compliance.search.chance import (
    SITES,
    TYPES,
    Entry,
    call_of,
    entries_of,
    event,
    fill,
    is_sought,
    questions,
)
from tests.integration.conftest import login

QUESTIONS = 60
MOST_PAGES = 6


async def walk(call: Call, query: Query, span: Span, order: Order, limit: int) -> tuple[list[int], Cursor | None, int]:
    """The indices on all pages, the cursor of the last page, and how many stand before it."""
    found: list[int] = []
    cursor: Cursor | None = None
    before = 0
    while True:
        asked = PageAsked(span, cursor, order, limit)
        page = await find_page(call, query, asked)
        found += [item.index for item in page.found.items]
        if page.found.rest is None:
            return found, cursor, before
        cursor, before = Cursor.parse(page.found.rest.write(b""), b""), len(found)


async def walk_back(call: Call, query: Query, span: Span, order: Order, limit: int, cursor: Cursor) -> list[int]:
    """The indices on all pages before a cursor, the nearest page last."""
    found: list[int] = []
    before: Cursor | None = cursor.back
    while before is not None:
        page = await find_page(call, query, PageAsked(span, before, order, limit))
        found = [item.index for item in page.found.items[::-1]] + found
        before = page.found.rest
    return found


def due(entries: Sequence[Entry], query: Query, span: Span, visible: Sequence[str], order: Order) -> list[int]:
    """The indices that should be found."""
    sought = [told["index"] for told in entries if is_sought(told, query, span, visible)]
    return sought if order == "asc" else sought[::-1]


@pytest.mark.parametrize("seed", [1, 2])
async def test_search_equals_a_plain_filter(database: str, seed: int) -> None:
    """On a log of several partitions, with times out of order, for any mix of conditions and whoever asks."""
    chance = random.Random(seed)
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    try:
        numbers = iter(range(10_000))
        batches = [[event(chance, next(numbers)) for _ in range(chance.randrange(1, 400))] for _ in range(9)]
        await fill(database, batches)
        entries = await entries_of(pool)
        for query, span in questions(chance, QUESTIONS):
            grants = chance.choice((("auditor:*",), ("auditor:north",), ("auditor:south", "auditor:east")))
            visible = SITES if grants == ("auditor:*",) else [grant.split(":")[1] for grant in grants]
            call = call_of(pool, *grants)
            order: Order = chance.choice(("asc", "desc"))
            if chance.random() < 0.2:
                query = Query(site_id=chance.choice(SITES), types=frozenset({chance.choice(TYPES)}))
            limit = chance.choice((1, 3, 50, 500))
            expected = due(entries, query, span, visible, order)
            limit = max(limit, len(expected) // MOST_PAGES)
            found, cursor, before = await walk(call, query, span, order, limit)
            assert found == expected, (query, span, grants, order, limit)
            if cursor is not None:
                back = await walk_back(call, query, span, order, limit, cursor)
                assert back == expected[:before], (query, span, grants, order, limit)
    finally:
        await close_pool(pool)


async def sleep_while_looking(call: Call) -> None:
    """A statement that does not end; its patience is shortened for the test."""
    async with looking(call) as conn:
        assert await conn.fetchval("SHOW statement_timeout") == f"{STATEMENT_SECONDS}s"
        await conn.execute("SET LOCAL statement_timeout = '20ms'")
        await conn.execute("SELECT pg_sleep(60)")


async def test_search_that_takes_too_long_is_refused_with_advice(database: str) -> None:
    """It ends in the database, too, and the connection can be used again."""
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test", max_size=1)
    try:
        call = call_of(pool, "auditor:*")
        with pytest.raises(Malformed, match="ask for a shorter time, one site or one type"):
            await sleep_while_looking(call)
        assert (await find_page(call, Query(), PageAsked())).found.items == []
    finally:
        await close_pool(pool)
