"""SQL of custody and disposal. Nothing here changes or takes away what was recorded."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from services.inventory.custody.disposal import Disposal
from services.inventory.custody.domain import Custody
from shared.database import Connection
from shared.errors import Conflict
from shared.events.inventory import LifecycleState

_LINK = (
    *("asset_id", "number", "id", "site_id", "kind", "from_holder", "to_holder", "at", "place", "seal", "person"),
    *("recycler_id", "certificate", "recorded_by", "recorded_at"),
)
_DISPOSAL = (
    *("id", "asset_id", "site_id", "recycler_id", "recycler", "downstream", "reference", "weight_kg"),
    *("sha256", "recorded_by", "recorded_at"),
)
_LINE = ("asset_id", "type", "serial", "manufacturer", "model", "weight_kg", "category")
_DISPOSALS = """SELECT d.*, 1 AS version,
                       (SELECT json_agg(l ORDER BY l.serial COLLATE "C", l.asset_id) FROM disposal_lines l
                        WHERE l.disposal_id = d.id) AS lines
                FROM disposals d """


async def insert_links(conn: Connection, links: Sequence[Custody]) -> None:
    """Adds links, each as the last of its chain. Raises Conflict where somebody else has added one meanwhile."""
    rows = [link.model_dump() for link in links]
    for row in rows:
        row["certificate"] = row["certificate"] and row["certificate"] | {
            day: row["certificate"][day].isoformat() for day in ("valid_from", "valid_until")
        }
    try:
        await conn.executemany(
            """INSERT INTO custody (asset_id, number, id, site_id, kind, from_holder, to_holder, at, place, seal,
                                    person, recycler_id, certificate, recorded_by, recorded_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
            [[row[column] for column in _LINK] for row in rows],
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict("somebody else has recorded custody of one of these assets at the same moment") from exc


async def select_chains(conn: Connection, asset_ids: Collection[str]) -> dict[str, list[Custody]]:
    """The chains of assets by their ids, each from its first link to its last; an asset without one is left out."""
    rows = await conn.fetch(
        "SELECT *, 1 AS version FROM custody WHERE asset_id = ANY($1) ORDER BY asset_id, number", list(asset_ids)
    )
    chains: dict[str, list[Custody]] = {}
    for row in rows:
        chains.setdefault(row["asset_id"], []).append(Custody.model_validate(dict(row)))
    return chains


async def select_moves(conn: Connection, asset_ids: Collection[str]) -> dict[str, dict[LifecycleState, datetime]]:
    """When each of these assets came last into each state that it has moved to."""
    rows = await conn.fetch(
        """SELECT asset_id, to_state, max(at) AS at FROM transitions WHERE asset_id = ANY($1)
           GROUP BY asset_id, to_state""",
        list(asset_ids),
    )
    moves: dict[str, dict[LifecycleState, datetime]] = {}
    for row in rows:
        moves.setdefault(row["asset_id"], {})[row["to_state"]] = row["at"]
    return moves


async def select_chain(conn: Connection, asset_id: str, after: int, limit: int) -> list[Custody]:
    """The links of an asset's chain behind the one of number ``after``."""
    rows = await conn.fetch(
        "SELECT *, 1 AS version FROM custody WHERE asset_id = $1 AND number > $2 ORDER BY number LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [Custody.model_validate(dict(row)) for row in rows]


async def select_links(
    conn: Connection,
    visible: Collection[str] | None,
    site_id: str | None,
    recycler_id: str | None,
    after: str | None,
    limit: int,
) -> list[Custody]:
    """Links of whichever assets by id behind ``after``; ``visible`` None stands for all sites."""
    rows = await conn.fetch(
        """SELECT *, 1 AS version FROM custody
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR recycler_id = $3) AND ($4::text IS NULL OR id > $4)
           ORDER BY id LIMIT $5""",
        None if visible is None else list(visible),
        site_id,
        recycler_id,
        after,
        limit,
    )
    return [Custody.model_validate(dict(row)) for row in rows]


async def insert_disposal(conn: Connection, disposal: Disposal) -> None:
    """Adds a manifest. Raises Conflict where one of its components is on another."""
    row = disposal.model_dump(exclude={"lines", "version"})
    await conn.execute(
        """INSERT INTO disposals (id, asset_id, site_id, recycler_id, recycler, downstream, reference, weight_kg,
                                  sha256, recorded_by, recorded_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        *(row[column] for column in _DISPOSAL),
    )
    lines = [line.model_dump() for line in disposal.lines]
    try:
        await conn.executemany(
            """INSERT INTO disposal_lines (disposal_id, asset_id, type, serial, manufacturer, model, weight_kg,
                                           category)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
            [[disposal.id, *(line[column] for column in _LINE)] for line in lines],
        )
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"a component is on another manifest already: {exc.detail}") from exc


async def select_manifest_of(conn: Connection, asset_ids: Collection[str]) -> dict[str, str]:
    """For those of the components that are on a manifest, its reference."""
    rows = await conn.fetch(
        """SELECT l.asset_id, d.reference FROM disposal_lines l JOIN disposals d ON d.id = l.disposal_id
           WHERE l.asset_id = ANY($1)""",
        list(asset_ids),
    )
    return {row["asset_id"]: row["reference"] for row in rows}


async def select_disposals(conn: Connection, asset_id: str, after: str | None, limit: int | None) -> list[Disposal]:
    """The manifests of an asset by id behind ``after``; all that follow where there is no limit."""
    rows = await conn.fetch(
        f"{_DISPOSALS} WHERE d.asset_id = $1 AND ($2::text IS NULL OR d.id > $2) ORDER BY d.id LIMIT $3",
        asset_id,
        after,
        limit,
    )
    return [Disposal.model_validate(dict(row)) for row in rows]
