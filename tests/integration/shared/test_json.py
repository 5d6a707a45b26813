"""JSON in the database: what goes in comes out, by a statement or by COPY, and bytes are JSON already."""

from collections.abc import AsyncIterator

import pytest

from shared.database import Pool, open_pool
from tests.integration.conftest import login


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections of some service."""
    pool = await open_pool(login(database, "steward_probes"), schema="probes", application="test-json")
    yield pool
    pool.terminate()


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_json_comes_out_as_it_went_in(pool: Pool, kind: str) -> None:
    """Alone and in an array, as a value and as the bytes that somebody has written of it."""
    value = {"name": "Tür 4", "facts": [1, 2.5, None, True], "none": {}}
    written = '{"name": "Tür 4", "facts": [1, 2.5, null, true], "none": {}}'.encode()
    async with pool.acquire() as conn:
        row = await conn.fetchrow(f"SELECT $1::{kind}, $2::{kind}[]", value, [written, value, None])
    assert row is not None
    assert list(row) == [value, [value, value, None]]


@pytest.mark.parametrize("kind", ["json", "jsonb"])
async def test_json_is_copied(pool: Pool, kind: str) -> None:
    """COPY sends all values as bytes."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(f"CREATE TEMPORARY TABLE things (told {kind}) ON COMMIT DROP")
        await conn.copy_records_to_table("things", records=[({"a": 1},), (b'{"a": 2}',), (None,)])
        rows = await conn.fetch("SELECT told FROM things")
    assert [row["told"] for row in rows] == [{"a": 1}, {"a": 2}, None]
