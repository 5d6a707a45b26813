"""SQL of targets: the assets that probes was told of."""

from collections.abc import Collection

import asyncpg

from services.probes.targets.domain import Standing, Target, why_not_probed
from shared.database import Connection
from shared.events.inventory import AssetChanged, AssetRetired, DicomAddress

TARGETS = """SELECT node.*, system.state AS system_state, system.retired AS system_retired
             FROM assets AS node LEFT JOIN assets AS system ON system.id = node.system_id
             WHERE node.kind = 'node' """


async def lock_assets(conn: Connection) -> None:
    """Waits for every other transaction that changes assets: a node is judged with its system, never past it."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('probes assets', 0))")


async def upsert_asset(conn: Connection, asset_id: str, site_id: str, asset: AssetChanged) -> bool:
    """Keeps the asset's full state; false when a newer one is known."""
    kept = await conn.fetchval(
        """INSERT INTO assets (id, site_id, kind, name, state, version, system_id, dicom)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
           ON CONFLICT (id) DO UPDATE
               SET site_id = $2, kind = $3, name = $4, state = $5, version = $6, system_id = $7, dicom = $8
               WHERE assets.version < $6
           RETURNING true""",
        asset_id,
        site_id,
        asset.kind,
        asset.name,
        asset.state,
        asset.version,
        asset.system_id,
        asset.dicom and asset.dicom.model_dump(),
    )
    return bool(kept)


async def mark_retired(conn: Connection, asset_id: str, site_id: str, asset: AssetRetired) -> None:
    """Remembers for good that the asset is retired, also when nothing else was heard of it yet."""
    await conn.execute(
        """INSERT INTO assets (id, site_id, kind, name, state, version, retired)
           VALUES ($1, $2, $3, $4, 'closed', 0, true)
           ON CONFLICT (id) DO UPDATE SET retired = true""",
        asset_id,
        site_id,
        asset.kind,
        asset.name,
    )


async def select_targets_touched_by(conn: Connection, asset_id: str) -> list[Target]:
    """The node of that id, or the nodes of the system of that id."""
    rows = await conn.fetch(TARGETS + "AND (node.id = $1 OR node.system_id = $1) ORDER BY node.id", asset_id)
    return [_target(row) for row in rows]


async def select_targets(
    conn: Connection, visible: Collection[str] | None, site_id: str | None, after: str | None, limit: int
) -> list[Target]:
    """Targets by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        TARGETS
        + """AND ($1::text[] IS NULL OR node.site_id = ANY($1)) AND ($2::text IS NULL OR node.site_id = $2)
               AND ($3::text IS NULL OR node.id > $3)
             ORDER BY node.id LIMIT $4""",
        None if visible is None else list(visible),
        site_id,
        after,
        limit,
    )
    return [_target(row) for row in rows]


def _target(row: asyncpg.Record) -> Target:
    dicom = DicomAddress.model_validate(row["dicom"]) if row["dicom"] else None
    system = Standing(row["system_state"], row["system_retired"]) if row["system_state"] else None
    reason = why_not_probed(Standing(row["state"], row["retired"]), system, dicom)
    return Target(
        version=row["version"],
        id=row["id"],
        site_id=row["site_id"],
        name=row["name"],
        system_id=row["system_id"],
        dicom=dicom,
        probed=reason is None,
        reason=reason,
    )
