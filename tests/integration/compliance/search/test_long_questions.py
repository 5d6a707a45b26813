"""Questions that read through entries leave connections for all others, and end in time."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from services.compliance.search import handlers
from services.compliance.search.domain import PageAsked, Query
from services.compliance.search.handlers import LONG_AT_ONCE, LOOKED_AT_ONCE, find_page, looking_long
from shared.database import Pool, close_pool, open_pool
from shared.errors import Unavailable
from shared.http import Call
from tests.integration.compliance.search.chance import call_of, event, fill
from tests.integration.conftest import login

TEXT = Query(text="event-1")
ASKED = PageAsked(limit=5)


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """One connection more than long questions may have, to a log of 900 entries."""
    chance = random.Random(8)
    await fill(database, [[event(chance, number) for number in range(900)]])
    dsn = login(database, "steward_compliance")
    pool = await open_pool(dsn, schema="compliance", application="test", max_size=LONG_AT_ONCE + 1)
    yield pool
    await close_pool(pool)


@pytest.fixture
def call(pool: Pool) -> Call:
    """Of an auditor of the group."""
    return call_of(pool, "auditor:*")


async def test_another_question_is_answered_while_long_ones_wait_for_their_turn(call: Call) -> None:
    """They wait without a connection, and go on when one of those before them ends."""
    async with AsyncExitStack() as running:
        for _ in range(LONG_AT_ONCE):
            await running.enter_async_context(looking_long(call))
        waiting = [asyncio.create_task(find_page(call, TEXT, ASKED)) for _ in range(20)]
        for _ in range(5):
            assert len((await find_page(call, Query(), ASKED)).found.items) == 5
        assert not any(task.done() for task in waiting)
    for page in await asyncio.gather(*waiting):
        assert len(page.found.items) == 5


async def test_question_whose_turn_does_not_come_is_refused(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fault that passes; and who was refused takes nobody's turn."""
    monkeypatch.setattr(handlers, "PATIENCE_SECONDS", 0.01)
    async with AsyncExitStack() as running:
        for _ in range(LONG_AT_ONCE):
            await running.enter_async_context(looking_long(call))
        with pytest.raises(Unavailable, match="try again"):
            await find_page(call, TEXT, ASKED)
    assert len((await find_page(call, TEXT, ASKED)).found.items) == 5


async def test_search_for_text_that_takes_long_gives_what_it_has_and_goes_on(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, with nothing found twice or left out."""
    whole = (await find_page(call, TEXT, PageAsked(limit=500))).found.items
    monkeypatch.setattr(handlers, "LOOKED_SECONDS", 0.0)
    page = (await find_page(call, TEXT, PageAsked(limit=500))).found
    found, pages = list(page.items), 1
    while page.rest is not None:
        page = (await find_page(call, TEXT, PageAsked(limit=500, cursor=page.rest))).found
        found, pages = [*found, *page.items], pages + 1
    assert [item.index for item in found] == [item.index for item in whole]
    assert pages == 900 // LOOKED_AT_ONCE + 1
