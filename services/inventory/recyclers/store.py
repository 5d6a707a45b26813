"""SQL of recyclers."""

import asyncpg

from services.inventory.recyclers.domain import Recycler
from shared.database import Connection, found
from shared.errors import Conflict, Stale


async def upsert_recycler(conn: Connection, recycler: Recycler) -> None:
    """Adds a recycler, or puts its next version into the place of the one before. Raises Stale, Conflict."""
    certificates = [one.model_dump(mode="json") for one in recycler.certificates]
    try:
        done = await conn.fetchval(
            """INSERT INTO recyclers (id, name, certificates, downstream, version) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (id) DO UPDATE SET name = $2, certificates = $3, downstream = $4, version = $5
               WHERE recyclers.version = $5 - 1 RETURNING true""",
            recycler.id,
            recycler.name,
            certificates,
            recycler.downstream,
            recycler.version,
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"there is a recycler {recycler.name} already") from exc
    if not done:
        raise Stale(f"recycler {recycler.id} was changed by somebody else; get it again")


async def select_recycler(conn: Connection, recycler_id: str) -> Recycler:
    """One recycler. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM recyclers WHERE id = $1", recycler_id)
    return Recycler.model_validate(dict(found(row, f"recycler {recycler_id}")))


async def select_recyclers(conn: Connection, after: str | None, limit: int) -> list[Recycler]:
    """Recyclers by id behind ``after``."""
    rows = await conn.fetch(
        "SELECT * FROM recyclers WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [Recycler.model_validate(dict(row)) for row in rows]
