"""SQL of protection sets and of the systems that they protect."""

from collections.abc import Collection

import asyncpg

from services.backup.sets.domain import ProtectionSet, System
from shared.database import Connection, found
from shared.errors import Conflict, Stale


async def upsert_system(conn: Connection, system: System) -> None:
    """Keeps what is newest of a system; an older version changes nothing."""
    await conn.execute(
        """INSERT INTO systems (id, site_id, name, state, version) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (id) DO UPDATE SET site_id = $2, name = $3, state = $4, version = $5
           WHERE systems.version < $5""",
        system.id,
        system.site_id,
        system.name,
        system.state,
        system.version,
    )


async def select_system(conn: Connection, system_id: str) -> System:
    """One system. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM systems WHERE id = $1", system_id)
    return System.model_validate(dict(found(row, f"system {system_id}")))


async def insert_set(conn: Connection, added: ProtectionSet) -> None:
    """Adds a set. Raises Conflict when the system has one of that scope in that repository."""
    inserted = await conn.fetchval(
        """INSERT INTO sets (id, system_id, site_id, scope, engine, path, repository, version)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true""",
        added.id,
        added.system_id,
        added.site_id,
        added.scope,
        added.engine,
        added.path,
        added.repository,
        added.version,
    )
    if not inserted:
        raise _duplicate(added)


async def update_set(conn: Connection, changed: ProtectionSet, expected_version: int) -> None:
    """Replaces path and repository. Raises Stale unless ``expected_version`` is stored, Conflict as insert_set does."""
    try:
        updated = await conn.fetchval(
            "UPDATE sets SET path = $2, repository = $3, version = $4 WHERE id = $1 AND version = $5 RETURNING true",
            changed.id,
            changed.path,
            changed.repository,
            changed.version,
            expected_version,
        )
    except asyncpg.UniqueViolationError as exc:
        raise _duplicate(changed) from exc
    if not updated:
        raise Stale(f"protection set {changed.id} was changed by somebody else; get it again")


async def select_set(conn: Connection, set_id: str) -> ProtectionSet:
    """One set. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM sets WHERE id = $1", set_id)
    return ProtectionSet.model_validate(dict(found(row, f"protection set {set_id}")))


async def select_sets(
    conn: Connection, visible: Collection[str] | None, after: str | None, limit: int
) -> list[ProtectionSet]:
    """Sets by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT * FROM sets WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR id > $2)
           ORDER BY id LIMIT $3""",
        None if visible is None else list(visible),
        after,
        limit,
    )
    return [ProtectionSet.model_validate(dict(row)) for row in rows]


def _duplicate(refused: ProtectionSet) -> Conflict:
    return Conflict(
        f"system {refused.system_id} has a protection set of scope {refused.scope} in {refused.repository} already"
    )
