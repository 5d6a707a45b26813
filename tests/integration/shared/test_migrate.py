"""Migrations: forward only, once, and roles that can touch nothing else."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared.migrate import MigrationError, migrate_service
from tests.integration.conftest import OWNING, login


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Migrations of a service that is not yet there."""
    folder = tmp_path / "stocktaking" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_things.sql").write_text("CREATE TABLE things (id int);")
    return folder


async def test_each_file_is_applied_once(database: str, folder: Path) -> None:
    """A second run applies what is new and nothing else."""
    first = await migrate_service(database, "stocktaking", folder, "secret")
    assert first[-1] == "stocktaking/0001_things.sql"
    assert await migrate_service(database, "stocktaking", folder, "secret") == []
    (folder / "0002_more.sql").write_text("ALTER TABLE things ADD name text;")
    assert await migrate_service(database, "stocktaking", folder, None) == ["stocktaking/0002_more.sql"]


async def test_runs_at_the_same_time_apply_each_file_once(database: str, folder: Path) -> None:
    """Several pods may start the job."""
    applied = await asyncio.gather(*(migrate_service(database, "stocktaking", folder, None) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == sorted({name for names in applied for name in names})


async def test_a_changed_file_is_an_error(database: str, folder: Path) -> None:
    """History is not rewritten: the message says to add a new file."""
    await migrate_service(database, "stocktaking", folder, None)
    (folder / "0001_things.sql").write_text("CREATE TABLE things (id bigint);")
    with pytest.raises(MigrationError, match="add a new file"):
        await migrate_service(database, "stocktaking", folder, None)


async def test_a_failing_file_leaves_nothing_behind(database: str, folder: Path) -> None:
    """What came before stays, the failing file is undone as a whole and named."""
    (folder / "0002_broken.sql").write_text("CREATE TABLE half (id int); SELECT nonsense;")
    with pytest.raises(MigrationError, match="0002_broken"):
        await migrate_service(database, "stocktaking", folder, None)
    conn = await asyncpg.connect(database)
    try:
        assert await conn.fetchval("SELECT to_regclass('stocktaking.things') IS NOT NULL")
        assert await conn.fetchval("SELECT to_regclass('stocktaking.half') IS NULL")
    finally:
        await conn.close()


@pytest.mark.parametrize("service", OWNING)
async def test_a_services_role_can_touch_no_other_schema(database: str, service: str) -> None:
    """Each service owns one schema and one login that sees nothing of the others', and makes no tables."""
    conn = await asyncpg.connect(login(database, f"steward_{service}"))
    try:
        assert await conn.fetchval(f'SELECT count(*) FROM "{service}".outbox') == 0
        for other in (*OWNING, "bus"):
            if other != service:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await conn.fetch(f'SELECT * FROM "{other}".migrations')
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(f'CREATE TABLE "{service}".mine (id int)')
    finally:
        await conn.close()
