"""SQL of assets."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.inventory.assets.domain import Asset, Kind, Node, System
from services.inventory.lifecycle.domain import FINAL
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale

TAKEN = {
    "one_live_system_per_name": "the site has a system of that name",
    "one_live_node_per_address": "the site has a node with that host, port and AE title",
}


@dataclass(frozen=True)
class Selection:
    """Which assets a list shows. ``visible`` are the caller's sites; None stands for all, as it does elsewhere."""

    visible: Collection[str] | None = None
    kind: Kind | None = None
    site_id: str | None = None
    state: str | None = None
    system_id: str | None = None


async def insert_asset(conn: Connection, asset: Asset) -> None:
    """Adds an asset. Raises Conflict when its name or address is taken, NotFound when there is no such site."""
    async with _own_errors(asset):
        await conn.execute(
            """INSERT INTO assets (id, version, name, state, vendor, product, software_version,
                                   system_id, ae_title, host, port, role, kind, site_id)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
            *_values(asset),
            asset.kind,
            asset.site_id,
        )


async def update_asset(conn: Connection, asset: Asset, expected_version: int) -> None:
    """Replaces all but kind and site. Raises Stale unless ``expected_version`` is the stored one, or Conflict."""
    async with _own_errors(asset):
        changed = await conn.fetchval(
            """UPDATE assets SET version = $2, name = $3, state = $4, vendor = $5, product = $6, software_version = $7,
                                 system_id = $8, ae_title = $9, host = $10, port = $11, role = $12
               WHERE id = $1 AND version = $13 RETURNING true""",
            *_values(asset),
            expected_version,
        )
    if not changed:
        raise Stale(f"{asset.kind} {asset.id} was changed by somebody else; get it again")


async def note_version_told(conn: Connection, system_id: str, told_at: datetime) -> bool:
    """Remembers when somebody said which version a system runs; False when somebody has said so later already."""
    noted = await conn.fetchval(
        """UPDATE assets SET version_told_at = $2
           WHERE id = $1 AND (version_told_at IS NULL OR version_told_at <= $2) RETURNING true""",
        system_id,
        told_at,
    )
    return bool(noted)


async def select_asset(conn: Connection, asset_id: str) -> Asset:
    """One asset of either kind. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1", asset_id)
    return _asset(found(row, f"asset {asset_id}"))


async def select_system(conn: Connection, asset_id: str) -> System:
    """One system. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1 AND kind = 'system'", asset_id)
    return _system(found(row, f"system {asset_id}"))


async def select_node(conn: Connection, asset_id: str) -> Node:
    """One node. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1 AND kind = 'node'", asset_id)
    return _node(found(row, f"node {asset_id}"))


async def lock_asset(conn: Connection, asset_id: str) -> Asset:
    """One asset, which nobody else changes until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1 FOR UPDATE", asset_id)
    return _asset(found(row, f"asset {asset_id}"))


async def hold_system(conn: Connection, asset_id: str) -> System:
    """One system, whose state stays until the transaction ends; others may hold it too. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1 AND kind = 'system' FOR SHARE", asset_id)
    return _system(found(row, f"system {asset_id}"))


async def select_systems(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[System]:
    """Systems by id behind ``after``."""
    return [_system(row) for row in await _select(conn, chosen, "system", after, limit)]


async def select_nodes(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Node]:
    """Nodes by id behind ``after``."""
    return [_node(row) for row in await _select(conn, chosen, "node", after, limit)]


async def select_assets(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Asset]:
    """Assets of both kinds, or of the chosen one, by id behind ``after``."""
    return [_asset(row) for row in await _select(conn, chosen, chosen.kind, after, limit)]


async def select_live_nodes(conn: Connection, system_id: str) -> list[Node]:
    """The nodes of a system whose lives are not over, by name."""
    rows = await conn.fetch(
        "SELECT * FROM assets WHERE system_id = $1 AND state <> ALL($2::text[]) ORDER BY name, id",
        system_id,
        list(FINAL),
    )
    return [_node(row) for row in rows]


async def _select(
    conn: Connection, chosen: Selection, kind: Kind | None, after: str | None, limit: int
) -> list[asyncpg.Record]:
    return await conn.fetch(
        """SELECT * FROM assets
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR kind = $2)
             AND ($3::text IS NULL OR site_id = $3) AND ($4::text IS NULL OR state = $4)
             AND ($5::text IS NULL OR system_id = $5) AND ($6::text IS NULL OR id > $6)
           ORDER BY id LIMIT $7""",
        None if chosen.visible is None else list(chosen.visible),
        kind,
        chosen.site_id,
        chosen.state,
        chosen.system_id,
        after,
        limit,
    )


@asynccontextmanager
async def _own_errors(asset: Asset) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"{TAKEN[str(exc.constraint_name)]} already") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no site {asset.site_id}") from exc


def _values(asset: Asset) -> tuple[object, ...]:
    shared = (asset.id, asset.version, asset.name, asset.state)
    if isinstance(asset, System):
        runs = asset.software
        return (*shared, runs.vendor, runs.product, runs.version, None, None, None, None, None)
    return (*shared, None, None, None, asset.system_id, asset.ae_title, asset.host, asset.port, asset.role)


def _asset(row: asyncpg.Record) -> Asset:
    return _system(row) if row["kind"] == "system" else _node(row)


def _system(row: asyncpg.Record) -> System:
    software = {"vendor": row["vendor"], "product": row["product"], "version": row["software_version"]}
    return System.model_validate(dict(row) | {"software": software})


def _node(row: asyncpg.Record) -> Node:
    return Node.model_validate(dict(row))
