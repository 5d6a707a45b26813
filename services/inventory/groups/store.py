"""SQL of groups."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.inventory.groups.domain import Group
from shared.database import Connection, found
from shared.errors import Conflict, NotFound

_LINE = """WITH RECURSIVE line AS (
               SELECT g.*, 1 AS depth FROM site_groups g WHERE id = $1
               UNION ALL SELECT g.*, depth + 1 FROM site_groups g JOIN line ON g.id = line.parent_id)
           SELECT * FROM line ORDER BY depth"""
_SITES = """WITH RECURSIVE tree AS (
                SELECT id FROM site_groups WHERE id = $1
                UNION ALL SELECT g.id FROM site_groups g JOIN tree ON g.parent_id = tree.id)
            SELECT id FROM sites WHERE group_id IN (SELECT id FROM tree) ORDER BY id"""


async def lock_groups(conn: Connection) -> None:
    """Waits for every other transaction that changes groups: two moves could close a ring that neither sees."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('inventory groups', 0))")


async def insert_group(conn: Connection, group: Group) -> None:
    """Adds a group. Raises Conflict when its name is taken beside it, NotFound without its parent."""
    async with _own_errors(group):
        await conn.execute(
            "INSERT INTO site_groups (id, name, parent_id, version) VALUES ($1, $2, $3, $4)",
            group.id,
            group.name,
            group.parent_id,
            group.version,
        )


async def update_group(conn: Connection, group: Group) -> None:
    """Replaces a group's fields. Raises Conflict, NotFound as insert does."""
    async with _own_errors(group):
        await conn.execute(
            "UPDATE site_groups SET name = $2, parent_id = $3, version = $4 WHERE id = $1",
            group.id,
            group.name,
            group.parent_id,
            group.version,
        )


async def delete_group(conn: Connection, group_id: str) -> None:
    """Takes a group away that nothing is in."""
    await conn.execute("DELETE FROM site_groups WHERE id = $1", group_id)


async def select_group(conn: Connection, group_id: str) -> Group:
    """One group. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM site_groups WHERE id = $1", group_id)
    return Group.model_validate(dict(found(row, f"group {group_id}")))


async def hold_group(conn: Connection, group_id: str) -> Group:
    """One group, which stays until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM site_groups WHERE id = $1 FOR SHARE", group_id)
    return Group.model_validate(dict(found(row, f"group {group_id}")))


async def select_groups(conn: Connection, parent_id: str | None, after: str | None, limit: int) -> list[Group]:
    """Groups by id behind ``after``, those directly in one, or all."""
    rows = await conn.fetch(
        """SELECT * FROM site_groups WHERE ($1::text IS NULL OR parent_id = $1) AND ($2::text IS NULL OR id > $2)
           ORDER BY id LIMIT $3""",
        parent_id,
        after,
        limit,
    )
    return [Group.model_validate(dict(row)) for row in rows]


async def select_line(conn: Connection, group_id: str) -> list[Group]:
    """A group and what it is in, from the inside out. Raises NotFound."""
    rows = await conn.fetch(_LINE, group_id)
    if not rows:
        raise NotFound(f"no group {group_id}")
    return [Group.model_validate(dict(row)) for row in rows]


async def select_names_inside(conn: Connection, group_id: str) -> tuple[list[str], list[str]]:
    """The names of the groups directly in a group, and the ids of its own sites."""
    groups = await conn.fetch("SELECT name FROM site_groups WHERE parent_id = $1 ORDER BY name", group_id)
    sites = await conn.fetch("SELECT id FROM sites WHERE group_id = $1 ORDER BY id", group_id)
    return [row["name"] for row in groups], [row["id"] for row in sites]


async def select_sites_inside(conn: Connection, group_id: str) -> list[str]:
    """The ids of the sites of a group and of all groups in it. Raises NotFound."""
    await select_group(conn, group_id)
    rows = await conn.fetch(_SITES, group_id)
    return [row["id"] for row in rows]


@asynccontextmanager
async def _own_errors(group: Group) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"there is a group {group.name} in the same place already") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no group {group.parent_id}") from exc
