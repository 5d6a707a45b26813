"""SQL of assets."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import asyncpg

from services.inventory.assets.domain import Asset, Component, Kind, Node, System
from services.inventory.lifecycle.domain import FINAL
from shared.database import Connection, found
from shared.errors import Conflict, NotFound, Stale

TAKEN = {
    "one_live_system_per_name": "the site has a system of that name",
    "one_live_node_per_address": "the site has a node with that host, port and AE title",
}
COLUMNS = (
    *("id", "kind", "site_id", "version", "name", "state", "vendor", "product", "software_version"),
    *("environment", "deployment", "mirrors"),
    *("system_id", "ae_title", "host", "port", "role", "cluster", "cluster_role"),
)
_PLACES = ", ".join(f"${n + 1}" for n in range(len(COLUMNS)))
_CHANGES = ", ".join(f"{name} = ${n + 4}" for n, name in enumerate(COLUMNS[3:]))
_INSERT = f"INSERT INTO assets ({', '.join(COLUMNS)}) VALUES ({_PLACES})"  # noqa: S608 -- our own text
_UPDATE = f"""UPDATE assets SET {_CHANGES}
              WHERE id = $1 AND kind = $2 AND site_id = $3 AND version = ${len(COLUMNS) + 1}
              RETURNING true"""  # noqa: S608 -- our own text
_SELECT = """SELECT a.*, c.type, c.installed_in, c.manufacturer, c.model, c.product_id, c.serial, c.asset_tag,
                    c.purchase_date, c.installed_on, c.warranty_until, c.capacity_bytes, c.media_type, c.raid_level,
                    c.fields, coalesce(a.software_version, c.software_version) AS software_version
             FROM assets a LEFT JOIN components c ON c.asset_id = a.id """
_SYSTEM = "SELECT * FROM assets WHERE id = $1 AND kind = 'system'"


@dataclass(frozen=True)
class Selection:
    """Which assets a list shows. ``visible`` are the caller's sites; None stands for all, as it does elsewhere."""

    visible: Collection[str] | None = None
    kind: Kind | None = None
    site_id: str | None = None
    state: str | None = None
    system_id: str | None = None
    ids: list[str] | None = None


async def insert_asset(conn: Connection, asset: System | Node) -> None:
    """Adds an asset. Raises Conflict when its name or address is taken, NotFound when there is no such site."""
    async with _own_errors(asset):
        await conn.execute(_INSERT, *_values(asset))


async def update_asset(conn: Connection, asset: Asset, expected_version: int) -> None:
    """Replaces all but kind and site; of a component, what it shares with other assets.

    Raises Stale unless ``expected_version`` is the stored one, or Conflict.
    """
    async with _own_errors(asset):
        changed = await conn.fetchval(_UPDATE, *_values(asset), expected_version)
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
    """One asset of any kind. Raises NotFound."""
    row = await conn.fetchrow(_SELECT + "WHERE a.id = $1", asset_id)
    return _asset(found(row, f"asset {asset_id}"))


async def select_system(conn: Connection, asset_id: str) -> System:
    """One system. Raises NotFound."""
    row = await conn.fetchrow(_SYSTEM, asset_id)
    return _system(found(row, f"system {asset_id}"))


async def select_node(conn: Connection, asset_id: str) -> Node:
    """One node. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM assets WHERE id = $1 AND kind = 'node'", asset_id)
    return _node(found(row, f"node {asset_id}"))


async def lock_asset(conn: Connection, asset_id: str) -> Asset:
    """One asset, which nobody else changes until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow(_SELECT + "WHERE a.id = $1 FOR UPDATE OF a", asset_id)
    return _asset(found(row, f"asset {asset_id}"))


async def hold_system(conn: Connection, asset_id: str) -> System:
    """One system, whose state stays until the transaction ends; others may hold it too. Raises NotFound."""
    row = await conn.fetchrow(f"{_SYSTEM} FOR SHARE", asset_id)
    return _system(found(row, f"system {asset_id}"))


async def hold_systems(conn: Connection, system_ids: Collection[str]) -> list[System]:
    """Those of these systems that there are, as ``hold_system`` gives them."""
    rows = await conn.fetch(
        "SELECT * FROM assets WHERE id = ANY($1) AND kind = 'system' ORDER BY id FOR SHARE", list(system_ids)
    )
    return [_system(row) for row in rows]


async def insert_components(conn: Connection, components: Sequence[Component]) -> None:
    """Adds assets of the kind component, whose sites there are."""
    columns = ("id", "kind", "site_id", "version", "name", "state", "system_id", "host")
    await conn.copy_records_to_table("assets", records=map(attrgetter(*columns), components), columns=columns)


async def update_components(conn: Connection, components: Sequence[Component]) -> None:
    """Replaces name, system and host of components that the transaction has locked."""
    await conn.execute(
        """UPDATE assets SET version = new.version, name = new.name, system_id = new.system_id, host = new.host
           FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[])
                AS new (id, version, name, system_id, host)
           WHERE assets.id = new.id""",
        *_columns(components, "id", "version", "name", "system_id", "host"),
    )


async def select_mirrors(conn: Connection, system_id: str) -> list[str]:
    """The names of the systems that mirror a system."""
    rows = await conn.fetch("SELECT name FROM assets WHERE mirrors = $1 ORDER BY name", system_id)
    return [row["name"] for row in rows]


async def select_systems(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[System]:
    """Systems by id behind ``after``."""
    return [_system(row) for row in await _select(conn, chosen, "system", after, limit)]


async def select_nodes(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Node]:
    """Nodes by id behind ``after``."""
    return [_node(row) for row in await _select(conn, chosen, "node", after, limit)]


async def select_assets(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Asset]:
    """Assets of all kinds, or of the chosen one, by id behind ``after``."""
    return [_asset(row) for row in await _select(conn, chosen, chosen.kind, after, limit)]


async def select_live_nodes(conn: Connection, system_id: str) -> list[Node]:
    """The nodes of a system whose lives are not over, by name."""
    rows = await conn.fetch(
        """SELECT * FROM assets
           WHERE system_id = $1 AND kind = 'node' AND state <> ALL($2::text[]) ORDER BY name, id""",
        system_id,
        list(FINAL),
    )
    return [_node(row) for row in rows]


async def select_parts(conn: Connection, asset_id: str) -> list[Node | Component]:
    """The nodes and components of an asset, and what is installed in these, by id."""
    rows = await conn.fetch(
        f"""WITH RECURSIVE parts AS (
                SELECT id FROM assets WHERE system_id = $1
                UNION SELECT asset_id FROM components WHERE installed_in = $1
                UNION SELECT c.asset_id FROM components c JOIN parts p ON c.installed_in = p.id)
            {_SELECT} JOIN parts p ON p.id = a.id WHERE a.id <> $1 ORDER BY a.id""",  # noqa: S608 -- our own text
        asset_id,
    )
    return [part for row in rows if not isinstance(part := _asset(row), System)]


async def _select(
    conn: Connection, chosen: Selection, kind: Kind | None, after: str | None, limit: int
) -> list[asyncpg.Record]:
    asked = {
        "a.site_id = ANY($%d)": None if chosen.visible is None else list(chosen.visible),
        "a.kind = $%d": kind,
        "a.site_id = $%d": chosen.site_id,
        "a.state = $%d": chosen.state,
        "a.system_id = $%d": chosen.system_id,
        "a.id = ANY($%d)": chosen.ids,
        "a.id > $%d": after,
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = " AND ".join(condition % (n + 2) for n, condition in enumerate(given)) or "true"
    return await conn.fetch(f"{_SELECT} WHERE {conditions} ORDER BY a.id LIMIT $1", limit, *given.values())


@asynccontextmanager
async def _own_errors(asset: Asset) -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        raise Conflict(f"{TAKEN[str(exc.constraint_name)]} already") from exc
    except asyncpg.ForeignKeyViolationError as exc:
        raise NotFound(f"no site {asset.site_id}") from exc


def _values(asset: Asset) -> list[object]:
    known = asset.model_dump(include=set(COLUMNS))
    if isinstance(asset, System):
        runs = asset.software
        known |= {"vendor": runs.vendor, "product": runs.product, "software_version": runs.version}
    elif isinstance(asset, Component):
        known["software_version"] = None
    return [known.get(name) for name in COLUMNS]


def _columns(components: Sequence[Component], *names: str) -> list[list[object]]:
    return [[getattr(component, name) for component in components] for name in names]


def _asset(row: asyncpg.Record) -> Asset:
    kinds: dict[str, Callable[[asyncpg.Record], Asset]] = {"system": _system, "node": _node, "component": _component}
    return kinds[row["kind"]](row)


def _system(row: asyncpg.Record) -> System:
    software = {"vendor": row["vendor"], "product": row["product"], "version": row["software_version"]}
    return System.model_validate(dict(row) | {"software": software})


def _node(row: asyncpg.Record) -> Node:
    return Node.model_validate(dict(row))


def _component(row: asyncpg.Record) -> Component:
    return Component.model_validate(dict(row))
