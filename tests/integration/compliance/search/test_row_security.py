"""The database itself shows of the index only the sites that a transaction has said it sees."""

import random
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.compliance.log.bundle import CHUNK
from services.compliance.search import store
from services.compliance.search.domain import Kind, PageAsked, Query
from services.compliance.search.handlers import find_page, looking
from services.compliance.search.places import Span
from shared.database import Pool, close_pool, open_pool
from tests.conftest import execute
from tests.integration.compliance.search.chance import SITES, call_of, entries_of, event, fill
from tests.integration.conftest import login

TABLES = ("events", "mentions", "days")


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections of compliance's own role to a log of three partitions."""
    chance = random.Random(3)
    pool = await open_pool(login(database, "steward_compliance"), schema="compliance", application="test")
    await fill(database, [[event(chance, number * 400 + n) for n in range(400)] for number in range(3)])
    yield pool
    await close_pool(pool)


async def test_who_says_nothing_sees_nothing(pool: Pool) -> None:
    """Neither on a fresh connection nor on one that was used before."""
    async with pool.acquire() as conn:
        for _ in range(2):
            for table in TABLES:
                assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0
            async with conn.transaction():
                await store.show_sites(conn, None, 10)
                assert await conn.fetchval("SELECT count(*) FROM events") == 1203


async def test_query_that_forgets_the_site_gives_nothing_of_others(pool: Pool) -> None:
    """With its own condition on the site taken out, search still finds what is north's and nothing else."""
    north = [told["index"] for told in await entries_of(pool) if told["siteid"] == "north"]
    async with looking(call_of(pool, "auditor:north")) as conn:
        for sought in (store.Sought(), store.Sought(outcomes=[4, 8, 12]), store.Sought(types=[0, 1, 2, 3, 4])):
            found = await store.select_places(conn, sought, Span(), is_down=True, limit=5000)
            assert found
            assert {place.entry for place in found} <= set(north)
        everything = await store.select_places(conn, store.Sought(), Span(), is_down=False, limit=5000)
        assert [place.entry for place in everything] == north
        counts = await store.select_counts(conn, store.Sought(), ["site"], None, None, 100)
        assert [tuple(row) for row in counts] == [("north", len(north))]


async def test_several_sites_and_all(pool: Pool) -> None:
    """What belongs to the group is seen by who sees all."""
    entries = await entries_of(pool)
    for grants, sites in (
        (("auditor:north", "auditor:east"), ("north", "east")),
        (("auditor:*",), SITES),
        (("auditor:nowhere",), ()),
    ):
        async with looking(call_of(pool, *grants)) as conn:
            found = await store.select_places(conn, store.Sought(), Span(), is_down=False, limit=5000)
        assert [place.entry for place in found] == [told["index"] for told in entries if told["siteid"] in sites]


async def test_one_kind_is_seen_by_who_sees_its_site(pool: Pool) -> None:
    """The quick way to ask for one site and type sets the sites that are seen itself, and not for what comes after."""
    kind = Kind("south", "probe.result")
    due = [told["index"] for told in await entries_of(pool) if (told["siteid"], told["type"]) == kind]
    async with pool.acquire() as conn:
        for visible, expected in ((None, due), ({"south"}, due), ({"north", "east"}, []), (set(), [])):
            found = await store.select_page_of_kind(conn, kind, visible, Span(), is_down=False, limit=5000)
            assert [place.entry for place in found.places] == expected
            assert {start for start, _ in found.chunks} == {index - index % CHUNK for index in expected}
            assert await conn.fetchval("SELECT count(*) FROM events") == 0


async def test_partitions_can_not_be_read_past_the_policy(pool: Pool) -> None:
    """The role reads the whole table only, and can neither switch the policy off nor change a row."""
    async with pool.acquire() as conn:
        for statement in (
            "SELECT count(*) FROM events_0",
            "SELECT count(*) FROM mentions_1",
            "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
            "UPDATE events SET site = 0",
            "DELETE FROM mentions",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(statement)


async def test_entry_whose_index_row_lies_about_its_site_does_not_leave(pool: Pool, database: str) -> None:
    """A row that says another site than the entry itself opens nothing: the entry decides."""
    entries = await entries_of(pool)
    south = next(told for told in entries if told["siteid"] == "south")
    number = "(SELECT number FROM compliance.sites WHERE site_id = 'north')"
    await execute(database, f"UPDATE compliance.events SET site = {number} WHERE index = {south['index']}")
    page = await find_page(call_of(pool, "auditor:north"), Query(), PageAsked(limit=500, order="asc"))
    assert page.found.items
    assert {item.site_id for item in page.found.items} == {"north"}
    async with looking(call_of(pool, "auditor:north")) as conn:
        found = await store.select_places(conn, store.Sought(), Span(), is_down=False, limit=5000)
    assert south["index"] in {place.entry for place in found}
