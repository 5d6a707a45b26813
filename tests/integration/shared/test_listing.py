"""A page of a list: what may be seen, what was asked for, and where the page before ended."""

from collections.abc import AsyncIterator, Collection, Mapping

import pytest

from shared.database import Pool, open_pool
from shared.listing import fetch_page
from tests.integration.conftest import login

THINGS = """(VALUES ('1', 'north', 'a', true), ('2', 'south', 'a', false), ('3', 'north', 'b', false),
                    ('4', 'west', 'a', true)) AS things (id, site_id, kind, is_open)"""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections of some service."""
    pool = await open_pool(login(database, "steward_probes"), schema="probes", application="test-listing")
    yield pool
    pool.terminate()


@pytest.mark.parametrize(
    ("visible", "wanted", "beyond", "ids"),
    [
        (None, {}, None, "123"),
        (None, {}, "2", "34"),
        ({"north", "west"}, {}, None, "134"),
        (set(), {}, None, ""),
        (None, {"kind": "a"}, None, "124"),
        (None, {"kind": "a", "is_open": False}, None, "2"),
        (None, {"kind": None, "NOT is_open": True}, None, "23"),
        ({"north"}, {"kind": "b' OR true --"}, None, ""),
        ({"south"}, {"kind": "a"}, "2", ""),
    ],
)
async def test_a_page_has_what_is_visible_and_wanted_behind_the_one_before(
    pool: Pool, visible: Collection[str] | None, wanted: Mapping[str, object | None], beyond: str | None, ids: str
) -> None:
    """By id, three at most."""
    async with pool.acquire() as conn:
        rows = await fetch_page(conn, THINGS, visible, wanted, beyond, 3)
    assert "".join(row["id"] for row in rows) == ids


async def test_the_latest_come_first_where_that_is_wanted(pool: Pool) -> None:
    """And the next page lies before."""
    async with pool.acquire() as conn:
        first = await fetch_page(conn, THINGS, None, {}, None, 2, latest_first=True)
        second = await fetch_page(conn, THINGS, None, {}, first[-1]["id"], 2, latest_first=True)
    assert [row["id"] for row in (*first, *second)] == ["4", "3", "2", "1"]
