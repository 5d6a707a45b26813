"""SQL of components: their own facts; what they share with other assets belongs to those."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Any

import asyncpg

from services.inventory.assets.domain import Component, FieldValue
from services.inventory.components.domain import key_of, maker_key, search_text, serial_key
from services.inventory.components.known import Unique
from services.inventory.vendors.names import Makers
from shared.database import Connection, found
from shared.errors import Conflict
from shared.events.inventory import ComponentType, LifecycleState

SELECT = """SELECT c.*, a.id, a.kind, a.version, a.name, a.system_id, a.host
            FROM components c JOIN assets a ON a.id = c.asset_id """
TYPES = {
    **{"installed_in": "text", "manufacturer": "text", "model": "text", "product_id": "text", "serial": "text"},
    **{"asset_tag": "text", "software_version": "text", "purchase_date": "date", "installed_on": "date"},
    **{"warranty_until": "date", "capacity_bytes": "bigint", "media_type": "text", "raid_level": "text"},
    **{"fields": "jsonb", "manufacturer_key": "text", "maker_key": "text", "model_key": "text"},
    **{"serial_key": "text", "tag_key": "text", "search_text": "text"},
}
"""What can change of a component, with its type in SQL."""

FIXED = {"asset_id": "text", "site_id": "text", "state": "text", "type": "text"}
LISTED = ", ".join(f"c.{name}" for name in (*FIXED, *TYPES) if name in Component.model_fields)
_facts = attrgetter("id", *(name for name in (*FIXED, *TYPES) if name in Component.model_fields))
_LIVE = "c.state NOT IN ('closed', 'cancelled')"
NEAR = 2000
"""How many components are gone through before words are looked up: those that many have are met at once."""

FAR = 12_000
"""How many are gone through where a page of them is likely to be met among so many."""

MOST_HITS = 1000
"""Words that more components have are not looked up, but met along the way through the list."""

Conditions = list[tuple[str, object]]


@dataclass(frozen=True)
class Selection:
    """Which components a list shows; ``visible`` and ``sites`` None stand for all. Words are in their one spelling."""

    visible: Collection[str] | None = None
    sites: Collection[str] | None = None
    type: ComponentType | None = None
    state: LifecycleState | None = None
    system_id: str | None = None
    installed_in: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    product_id: str | None = None
    serial: str | None = None
    asset_tag: str | None = None
    software_version: str | None = None
    purchased_after: date | None = None
    purchased_before: date | None = None
    fields: dict[str, FieldValue] | None = None
    words: Sequence[str] = ()

    def conditions(self) -> Conditions:
        """Each condition with its value."""
        asked: dict[str, object] = {
            "c.site_id = ANY({}::text[])": _sites(self.visible, self.sites),
            "c.type = {}": self.type,
            "c.state = {}": self.state,
            "c.asset_id IN (SELECT id FROM assets WHERE system_id = {})": self.system_id,
            "c.installed_in = {}": self.installed_in,
            "c.manufacturer_key = {}": key_of(self.manufacturer),
            "c.model_key = {}": key_of(self.model),
            "c.product_id = {}": self.product_id,
            "c.serial_key = {}": serial_key(self.serial),
            "c.tag_key = {}": serial_key(self.asset_tag),
            "c.software_version = {}": self.software_version,
            "c.purchase_date >= {}": self.purchased_after,
            "c.purchase_date < {}": self.purchased_before,
            "c.fields @> {}": self.fields,
        }
        return [(condition, value) for condition, value in asked.items() if value is not None]


async def lock_nesting(conn: Connection) -> None:
    """Waits for every other transaction that nests components: two could close a ring that neither sees."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('inventory installations', 0))")


async def lock_components(conn: Connection, component_ids: Collection[str]) -> list[Component]:
    """Those of these components that there are; nobody else changes them until the transaction ends."""
    rows = await conn.fetch(SELECT + "WHERE a.id = ANY($1) ORDER BY a.id FOR UPDATE OF a", list(component_ids))
    return [_component(row) for row in rows]


async def hold_lines(conn: Connection, component_ids: Collection[str]) -> list[Component]:
    """These components and all that they are installed in; their states stay until the transaction ends."""
    if not component_ids:
        return []
    rows = await conn.fetch(
        f"""WITH RECURSIVE line AS (
                SELECT asset_id, installed_in FROM components WHERE asset_id = ANY($1)
                UNION SELECT c.asset_id, c.installed_in FROM components c JOIN line ON c.asset_id = line.installed_in)
            {SELECT} WHERE a.id = ANY(ARRAY(SELECT asset_id FROM line)) ORDER BY a.id FOR SHARE OF a""",  # noqa: S608 -- ours
        list(component_ids),
    )
    return [_component(row) for row in rows]


async def select_owners(conn: Connection, uniques: Collection[Unique]) -> list[tuple[Unique, Component]]:
    """These serial numbers and tags, each with the component that lives and has it."""
    if not uniques:
        return []
    wanted = [[part for part in uniques if part[0] == what] for what in ("serial", "asset_tag")]
    # Each pair by its index: with statistics of before an import, the planner would read all that is there.
    rows = await conn.fetch(
        f"""{SELECT} WHERE c.asset_id = ANY(ARRAY(
                SELECT one.asset_id FROM unnest($1::text[], $2::text[]) AS w (m, s) CROSS JOIN LATERAL (
                    SELECT asset_id FROM components c WHERE maker_key = m AND serial_key = s AND {_LIVE} OFFSET 0) one
                UNION SELECT one.asset_id FROM unnest($3::text[], $4::text[]) AS w (s, k) CROSS JOIN LATERAL (
                    SELECT asset_id FROM components c WHERE site_id = s AND tag_key = k AND {_LIVE} OFFSET 0) one
            ))""",  # noqa: S608 -- our own text
        *([part[n] for part in parts] for parts in wanted for n in (1, 2)),
    )
    return [(unique, _component(row)) for row in rows for unique in _kept_uniques(row) if unique in uniques]


def _kept_uniques(row: asyncpg.Record) -> Iterable[Unique]:
    return ("serial", row["maker_key"], row["serial_key"]), ("asset_tag", row["site_id"], row["tag_key"])


async def insert_components(conn: Connection, components: Sequence[Component], makers: Makers) -> None:
    """Adds the facts of components whose assets there are. Raises Conflict where another has a serial or tag."""
    rows = [_row(component, makers) for component in components]
    async with _own_errors():
        await conn.copy_records_to_table("components", records=rows, columns=[*FIXED, *TYPES])


async def update_components(conn: Connection, components: Sequence[Component], makers: Makers) -> None:
    """Replaces what can change of components. Raises Conflict where another has a serial or tag."""
    columns = FIXED | TYPES
    given = ", ".join(f"${n + 1}::{kind}[]" for n, kind in enumerate(columns.values()))
    changes = ", ".join(f"{name} = new.{name}" for name in TYPES)
    async with _own_errors():
        await conn.execute(
            f"""UPDATE components SET {changes} FROM unnest({given}) AS new ({", ".join(columns)})
                WHERE components.asset_id = new.asset_id""",  # noqa: S608 -- our own names
            *zip(*(_row(component, makers) for component in components), strict=True),
        )


async def select_component(conn: Connection, component_id: str) -> Component:
    """One component. Raises NotFound."""
    row = await conn.fetchrow(SELECT + "WHERE a.id = $1", component_id)
    return _component(found(row, f"component {component_id}"))


async def select_components(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Component]:
    """Components by id behind ``after``; the transaction must see one moment."""
    # A plan for values that are seen: how many components are of a type, or have a word, differs by the thousand.
    await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    if not chosen.words:
        return await _fetch(conn, [*chosen.conditions(), *_behind(after)], limit)
    return await _search(conn, chosen, after, limit)


async def _search(conn: Connection, chosen: Selection, after: str | None, limit: int) -> list[Component]:
    """Words are met along the way as long as that is soon; then they are looked up."""
    words: Conditions = [("c.search_text LIKE {}", _containing(word)) for word in chosen.words]
    met: list[Component] = []
    for stride in (NEAR, FAR - NEAR):
        asked = [*chosen.conditions(), *_behind(after)]
        met += await _walk(conn, asked, stride, words, limit - len(met))
        if len(met) == limit or (after := await _end_of(conn, asked, stride)) is None:
            return met
        if len(met) * FAR < limit * NEAR:
            break
    hits = await _look_up(conn, words)
    rest: Conditions = words if hits is None else [("c.asset_id = ANY({}::text[])", hits)]
    return met + await _fetch(conn, [*chosen.conditions(), *_behind(after), *rest], limit - len(met))


async def _fetch(conn: Connection, asked: Conditions, limit: int) -> list[Component]:
    """Components by id that keep all conditions."""
    kept = f"SELECT * FROM components c WHERE {_joined(asked, first=2)} ORDER BY c.asset_id LIMIT $1"  # noqa: S608 -- ours
    return await _read(conn, kept, limit, asked)


async def _walk(conn: Connection, asked: Conditions, stride: int, words: Conditions, limit: int) -> list[Component]:
    """Components by id that have the words, of the first ``stride`` that keep the other conditions."""
    near = f"SELECT * FROM components c WHERE {_joined(asked, first=2)} ORDER BY c.asset_id LIMIT {stride:d}"  # noqa: S608 -- ours
    having = f"SELECT * FROM ({near}) c WHERE {_joined(words, first=2 + len(asked))} LIMIT $1"  # noqa: S608 -- ours
    return await _read(conn, having, limit, [*asked, *words])


async def _end_of(conn: Connection, asked: Conditions, stride: int) -> str | None:
    """The last of the first ``stride`` components by id that keep the conditions; None where there are fewer."""
    near = f"SELECT asset_id FROM components c WHERE {_joined(asked, first=2)}"  # noqa: S608 -- ours
    given = (value for _, value in asked)
    last: str | None = await conn.fetchval(f"{near} ORDER BY asset_id OFFSET $1 LIMIT 1", stride - 1, *given)
    return last


async def _read(conn: Connection, chosen: str, limit: int, asked: Conditions) -> list[Component]:
    """Components that were chosen by their own facts, with what they share with other assets."""
    # Each asset by its id: for a page the planner would rather read all assets than some hundred of them.
    rows = await conn.fetch(
        f"""SELECT {LISTED}, a.* FROM ({chosen}) c
            CROSS JOIN LATERAL (SELECT id, kind, version, name, system_id, host FROM assets
                                WHERE id = c.asset_id LIMIT 1) a
            ORDER BY c.asset_id""",  # noqa: S608 -- our own conditions
        limit,
        *(value for _, value in asked),
    )
    return [_component(row) for row in rows]


def _behind(after: str | None) -> Conditions:
    return [] if after is None else [("c.asset_id > {}", after)]


def _joined(conditions: Conditions, first: int) -> str:
    """All conditions, the values of which are given from the place ``first`` on."""
    return " AND ".join(condition.format(f"${n + first}") for n, (condition, _) in enumerate(conditions)) or "true"


async def _look_up(conn: Connection, words: Conditions) -> list[str] | None:
    """The components that have the words, by the index of words alone, or None where they are too many."""
    await conn.execute("SET LOCAL enable_seqscan = off")
    rows = await conn.fetch(
        f"SELECT c.asset_id FROM components c WHERE {_joined(words, first=1)} LIMIT {MOST_HITS + 1}",  # noqa: S608 -- ours
        *(value for _, value in words),
    )
    await conn.execute("SET LOCAL enable_seqscan = on")
    return None if len(rows) > MOST_HITS else [row["asset_id"] for row in rows]


def _containing(word: str) -> str:
    return "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _sites(visible: Collection[str] | None, sites: Collection[str] | None) -> list[str] | None:
    if visible is None or sites is None:
        only = sites if visible is None else visible
        return None if only is None else sorted(only)
    return sorted(set(visible) & set(sites))


def _row(component: Component, makers: Makers) -> tuple[Any, ...]:
    """A component's values for the columns ``FIXED`` and ``TYPES``."""
    return (
        *_facts(component),
        key_of(component.manufacturer) or "",
        maker_key(component.manufacturer, component.product_id, component.site_id, makers),
        key_of(component.model),
        serial_key(component.serial),
        serial_key(component.asset_tag),
        search_text(component),
    )


@asynccontextmanager
async def _own_errors() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        what = "serial" if exc.constraint_name == "one_live_component_per_serial" else "asset tag"
        raise Conflict(f"a {what} was given to two components at the same time; look again") from exc


def _component(row: asyncpg.Record) -> Component:
    return Component.model_validate(dict(row))
