"""SQL of waivers."""

from services.inventory.waivers.domain import Waiver
from shared.database import Connection, found
from shared.errors import Stale


async def insert_waiver(conn: Connection, waiver: Waiver) -> None:
    """Adds a waiver."""
    await conn.execute(
        """INSERT INTO waivers (id, asset_id, site_id, kind, state, reason, expires_at, requested_by, requested_at,
                                version)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        waiver.id,
        waiver.asset_id,
        waiver.site_id,
        waiver.kind,
        waiver.state,
        waiver.reason,
        waiver.expires_at,
        waiver.requested_by,
        waiver.requested_at,
        waiver.version,
    )


async def update_waiver(conn: Connection, waiver: Waiver, expected_version: int) -> None:
    """Stores what was decided. Raises Stale."""
    changed = await conn.fetchval(
        """UPDATE waivers SET state = $2, decided_by = $3, decided_at = $4, decision_reason = $5, version = $6
           WHERE id = $1 AND version = $7 RETURNING true""",
        waiver.id,
        waiver.state,
        waiver.decided_by,
        waiver.decided_at,
        waiver.decision_reason,
        waiver.version,
        expected_version,
    )
    if not changed:
        raise Stale(f"waiver {waiver.id} was changed by somebody else; get it again")


async def select_waiver(conn: Connection, waiver_id: str) -> Waiver:
    """One waiver. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM waivers WHERE id = $1", waiver_id)
    return Waiver.model_validate(dict(found(row, f"waiver {waiver_id}")))


async def select_page(conn: Connection, asset_id: str, after: str | None, limit: int) -> list[Waiver]:
    """An asset's waivers behind the id ``after``, oldest first."""
    rows = await conn.fetch(
        "SELECT * FROM waivers WHERE asset_id = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [Waiver.model_validate(dict(row)) for row in rows]


async def select_approved(conn: Connection, asset_id: str) -> list[Waiver]:
    """An asset's waivers that were approved, also those that have expired."""
    rows = await conn.fetch("SELECT * FROM waivers WHERE asset_id = $1 AND state = 'approved' ORDER BY id", asset_id)
    return [Waiver.model_validate(dict(row)) for row in rows]
