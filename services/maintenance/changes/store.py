"""SQL of patches."""

from collections.abc import Collection

from services.maintenance.changes.domain import Patch
from shared.database import Connection, found


async def insert_patch(conn: Connection, patch: Patch) -> None:
    """Adds the record of a patch."""
    await conn.execute(
        """INSERT INTO patches (id, version, site_id, system_id, from_version, to_version, applied_at, summary,
               recorded_at, recorded_by)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        patch.id,
        patch.version,
        patch.site_id,
        patch.system_id,
        patch.from_version,
        patch.to_version,
        patch.applied_at,
        patch.summary,
        patch.recorded_at,
        patch.recorded_by,
    )


async def select_patch(conn: Connection, patch_id: str) -> Patch:
    """One patch. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM patches WHERE id = $1", patch_id)
    return Patch.model_validate(dict(found(row, f"patch {patch_id}")))


async def select_patches(
    conn: Connection,
    visible: Collection[str] | None,
    site_id: str | None,
    system_id: str | None,
    after: str | None,
    limit: int,
) -> list[Patch]:
    """Patches of the visible sites by id behind ``after``; None leaves a criterion out."""
    rows = await conn.fetch(
        """SELECT * FROM patches
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR system_id = $3) AND ($4::text IS NULL OR id > $4)
           ORDER BY id LIMIT $5""",
        None if visible is None else list(visible),
        site_id,
        system_id,
        after,
        limit,
    )
    return [Patch.model_validate(dict(row)) for row in rows]
