"""What the database's own functions do for whoever has only the service's login."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.conftest import execute
from tests.integration.conftest import login

WIDTH = 512
DECOYS = """
    CREATE TEMP TABLE head (size bigint, partition_entries bigint);
    INSERT INTO head VALUES (1000000, 512);
    CREATE TEMP TABLE archives (partition bigint, state text, location text, restored_until timestamptz);
    INSERT INTO archives VALUES (0, 'archived', 'nowhere', NULL);
    CREATE TEMP TABLE legal_holds (site_id text, type text, subject text, from_time timestamptz, to_time timestamptz,
                                   released_at timestamptz);
    CREATE TEMP TABLE leaf_hashes (start bigint PRIMARY KEY, hashes bytea);
"""


@pytest.fixture
async def conn(database: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A session of the service's role on a log whose first partition exists and is not archived."""
    await execute(database, f"UPDATE compliance.head SET partition_entries = {WIDTH}")
    conn = await asyncpg.connect(
        login(database, "steward_compliance"), server_settings={"search_path": "compliance"}, timeout=5
    )
    await conn.execute("SELECT make_partition(0)")
    yield conn
    await conn.close()


async def test_tables_of_a_session_stand_in_for_none_of_the_logs(
    conn: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """Pruning asks the log's own tables, whatever tables of the same names the session has made for itself."""
    await conn.execute(DECOYS)
    with pytest.raises(asyncpg.RaiseError, match="not complete"):
        await conn.execute("SELECT prune_partition(0)")
    assert await conn.fetchval("SELECT to_regclass('compliance.chunks_0') IS NOT NULL")


async def test_next_partition_is_made_while_somebody_reads(
    database: str, conn: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """A verification or a dump reads for hours in one transaction; the log grows on into new partitions meanwhile."""
    reader = await asyncpg.connect(database, server_settings={"search_path": "compliance"})
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        for table in ("chunks", "events", "mentions"):
            await reader.execute(f"SELECT count(*) FROM {table}")
        await conn.execute("SET lock_timeout = '1s'")
        await conn.execute("SELECT make_partition(1)")
        await reader.execute("SELECT count(*) FROM events")
    await reader.close()


async def test_partition_has_what_the_whole_table_has(
    database: str, conn: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """Its columns are stored as those of the whole table, its rows are checked, and every index goes on in it."""
    await conn.execute("SELECT make_partition(1)")
    owner = await asyncpg.connect(database, server_settings={"search_path": "compliance"})
    for table in ("chunks", "events", "mentions"):
        told = [
            [
                await owner.fetch(
                    """SELECT attname, atttypid, attnotnull, attstorage FROM pg_attribute
                       WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum""",
                    name,
                ),
                await owner.fetch(
                    """SELECT amname, indkey, indisunique, reloptions, pg_get_expr(indpred, indrelid)
                       FROM pg_index JOIN pg_class ON oid = indexrelid JOIN pg_am ON pg_am.oid = relam
                       WHERE indrelid = $1::text::regclass AND indisvalid ORDER BY amname, indkey::text, 5""",
                    name,
                ),
                await owner.fetchval(
                    "SELECT count(*) FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'c'", name
                ),
            ]
            for name in (table, f"{table}_1")
        ]
        assert told[0] == told[1]
    await owner.close()
