"""SQL of targets: the assets that probes was told of."""

from collections.abc import Collection, Mapping

import asyncpg

from services.probes.targets.domain import NOTHING_ON, Standing, Subject, Target, why_not_probed, why_nothing_is_asked
from shared.database import Connection, found
from shared.events.inventory import AssetChanged, AssetRetired, DicomAddress
from shared.listing import fetch_page

ASSETS = """SELECT asset.*, system.state AS system_state, system.retired AS system_retired,
                   EXISTS (SELECT FROM checks WHERE checks.subject = asset.id) AS is_checked
            FROM assets AS asset LEFT JOIN assets AS system ON system.id = asset.system_id """

TARGETS = f"""(SELECT *, EXISTS (SELECT FROM probes WHERE subject = asset.id) AS is_asked
               FROM ({ASSETS}) AS asset WHERE kind = 'node' OR is_checked) AS targets"""  # noqa: S608 -- our own text


async def lock_assets(conn: Connection) -> None:
    """Waits for every other transaction that changes assets: an asset is judged with its system, never past it."""
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


async def select_asset(conn: Connection, asset_id: str) -> Subject:
    """The asset. Raises NotFound."""
    row = await conn.fetchrow(ASSETS + "WHERE asset.id = $1", asset_id)
    return _subject(found(row, f"asset {asset_id}"))


async def select_subjects_touched_by(conn: Connection, asset_id: str) -> list[Subject]:
    """The asset of that id and, where it is a system, its nodes."""
    rows = await conn.fetch(ASSETS + "WHERE asset.id = $1 OR asset.system_id = $1 ORDER BY asset.id", asset_id)
    return [_subject(row) for row in rows]


async def select_site_assets(conn: Connection, site_id: str, asset_ids: Collection[str]) -> set[str]:
    """Which of these assets are at the site."""
    rows = await conn.fetch("SELECT id FROM assets WHERE site_id = $1 AND id = ANY($2)", site_id, list(asset_ids))
    return {row["id"] for row in rows}


async def select_nodes_touched_by(conn: Connection, asset_id: str) -> list[Target]:
    """The node of that id, or the nodes of the system of that id."""
    rows = await conn.fetch(
        ASSETS + "WHERE asset.kind = 'node' AND (asset.id = $1 OR asset.system_id = $1) ORDER BY asset.id", asset_id
    )
    return [_target(row) for row in rows]


async def select_nodes_asked_otherwise(conn: Connection, vantages: Mapping[str, str | None]) -> list[Target]:
    """Nodes whose own probe another than the set one makes, and those that have one and should not, or none."""
    rows = await conn.fetch(
        f"""SELECT node.* FROM ({ASSETS}) AS node
            LEFT JOIN unnest($1::text[], $2::text[]) AS told (site_id, vantage) USING (site_id)
            LEFT JOIN probes ON probes.subject = node.id AND probes.check_name IS NULL
            WHERE node.kind = 'node' AND node.dicom IS NOT NULL AND NOT node.retired
              AND ((told.site_id IS NOT NULL AND told.vantage IS NULL) = (probes.id IS NOT NULL)
                   OR probes.id IS NOT NULL AND probes.vantage IS DISTINCT FROM told.vantage)
            ORDER BY node.id""",  # noqa: S608 -- our own text
        list(vantages),
        list(vantages.values()),
    )
    return [_target(row) for row in rows]


async def select_targets(
    conn: Connection, visible: Collection[str] | None, site_id: str | None, after: str | None, limit: int
) -> list[Target]:
    """Nodes, and other assets with checks, by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await fetch_page(conn, TARGETS, visible, {"site_id": site_id}, after, limit)
    return [_shown(row) for row in rows]


def _shown(row: asyncpg.Record) -> Target:
    target = _target(row)
    reason = target.reason or (None if row["is_asked"] else NOTHING_ON)
    return target.model_copy(update={"probed": reason is None, "reason": reason})


def _target(row: asyncpg.Record) -> Target:
    dicom = DicomAddress.model_validate(row["dicom"]) if row["dicom"] else None
    reason = _subject(row).reason or why_nothing_is_asked(dicom is not None, row["is_checked"])
    return Target(
        version=row["version"],
        id=row["id"],
        site_id=row["site_id"],
        kind=row["kind"],
        name=row["name"],
        system_id=row["system_id"],
        dicom=dicom,
        probed=reason is None,
        reason=reason,
    )


def _subject(row: asyncpg.Record) -> Subject:
    system = Standing(row["system_state"], row["system_retired"]) if row["system_state"] else None
    reason = why_not_probed(row["kind"], Standing(row["state"], row["retired"]), system)
    return Subject(row["id"], row["site_id"], row["kind"], row["name"], row["system_id"], reason)
