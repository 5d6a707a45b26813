"""SQL of end of life."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from services.inventory.endoflife.domain import (
    BudgetLine,
    ComponentEnd,
    Ground,
    OrderState,
    ReplacementOrder,
    TypeRule,
    Usage,
)
from shared.database import Connection, found
from shared.errors import Stale
from shared.events.maintenance import AdvisoryPublished

IN_USE = ("procured", "staged", "commissioning", "in_service", "maintenance", "degraded")
"""The states of what was bought and is not on its way out."""

_SEEN = """
    SELECT a.id AS asset_id, a.site_id, a.name, a.state = ANY($1) AS is_in_use, c.type, c.purchase_date, c.installed_on,
           c.product_id, c.software_version, ($2 AT TIME ZONE s.time_zone)::date AS today, f.facts,
           (SELECT jsonb_agg(jsonb_build_object('counter', u.counter, 'value', u.value,
                                                'on', (u.at AT TIME ZONE s.time_zone)::date))
            FROM usage u WHERE u.asset_id = a.id) AS usage,
           ARRAY(SELECT n.advisory_id FROM advisories n WHERE n.asset_id = a.id AND n.state = 'open' ORDER BY 1)
               AS unfixed_advisories
    FROM components c JOIN assets a ON a.id = c.asset_id JOIN sites s ON s.id = a.site_id
    LEFT JOIN ends_of_life e ON e.asset_id = a.id
    LEFT JOIN (SELECT asset_id, sum(value) AS total FROM usage GROUP BY asset_id) u ON u.asset_id = a.id
    LEFT JOIN products p ON p.id = c.product_id
    LEFT JOIN (SELECT product_id, sum(version) AS total FROM product_versions GROUP BY product_id) v
        ON v.product_id = c.product_id
    LEFT JOIN (SELECT asset_id, sum(version) AS total FROM advisories GROUP BY asset_id) n ON n.asset_id = a.id,
    LATERAL (SELECT concat_ws('/', a.version, coalesce(u.total, 0), p.version, v.total, n.total) AS facts) f
"""
"""``facts`` is another text whenever something was told that bears on the end."""


Place = tuple[date | None, str]
"""A day and an id, behind which a page begins."""


@dataclass(frozen=True)
class Seen:
    """A component with what is known of it that bears on its end, on the day ``today`` at its site."""

    asset_id: str
    site_id: str
    name: str
    type: str
    facts: str
    is_in_use: bool
    today: date
    purchase_date: date | None
    product_id: str | None
    software_version: str | None
    usage: tuple[Usage, ...]
    unfixed_advisories: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """Which ends and orders a list shows. ``visible`` are the caller's sites; None stands for all."""

    visible: Collection[str] | None = None
    site_id: str | None = None
    type: str | None = None
    ground: Ground | None = None
    before: date | None = None
    state: OrderState | None = None
    since: date | None = None
    asset_ids: list[str] | None = None

    @property
    def sites(self) -> list[str] | None:
        """The caller's sites."""
        return None if self.visible is None else list(self.visible)


async def lock_stale(conn: Connection, now: datetime, after: str, limit: int) -> list[Seen]:
    """Components, by id behind ``after``, of which something new was told or that were not looked at today.

    Nobody else looks at them until the transaction ends.
    """
    rows = await conn.fetch(
        f"""{_SEEN}
        WHERE a.id > $3 AND CASE WHEN a.state = ANY($1)
                                 THEN e.asset_id IS NULL OR e.seen_facts <> f.facts
                                      OR e.seen_on <> ($2 AT TIME ZONE s.time_zone)::date
                                 ELSE e.asset_id IS NOT NULL END
        ORDER BY a.id LIMIT $4 FOR NO KEY UPDATE OF a SKIP LOCKED""",
        list(IN_USE),
        now,
        after,
        limit,
    )
    return [_seen(row) for row in rows]


async def select_seen(conn: Connection, asset_id: str, now: datetime) -> Seen:
    """One component. Raises NotFound."""
    row = await conn.fetchrow(f"{_SEEN} WHERE a.id = $3", list(IN_USE), now, asset_id)
    return _seen(found(row, f"component {asset_id}"))


async def upsert_ends(conn: Connection, ends: Sequence[ComponentEnd], seen: Sequence[Seen]) -> None:
    """Replaces what was seen of components' ends."""
    await conn.executemany(
        """INSERT INTO ends_of_life VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (asset_id) DO UPDATE SET ends_on = $4, ground = $5, order_by = $6, candidates = $7, unknown = $8,
               seen_on = $9, seen_facts = $10, type = $3""",
        [
            (
                end.asset_id,
                end.site_id,
                end.type,
                end.on,
                end.ground,
                end.order_by,
                [candidate.model_dump(mode="json") for candidate in end.candidates],
                end.unknown,
                component.today,
                component.facts,
            )
            for end, component in zip(ends, seen, strict=True)
        ],
    )


async def delete_ends(conn: Connection, asset_ids: Sequence[str]) -> None:
    """Forgets the ends of what is no longer in use."""
    await conn.execute("DELETE FROM ends_of_life WHERE asset_id = ANY($1)", asset_ids)


_DATED = "(e.ends_on, e.asset_id) > ($8::date, $9::text)"
_UNDATED = "e.ends_on IS NULL AND $8::date IS NULL AND e.asset_id > $9"


async def select_ends(conn: Connection, chosen: Selection, after: Place | None, limit: int) -> list[ComponentEnd]:
    """Ends by day and asset behind ``after``, those without a day last."""
    day, asset_id = after or (date.min, "")
    if day is None:
        return await _select_ends(conn, chosen, _UNDATED, (None, asset_id), limit)
    dated = await _select_ends(conn, chosen, _DATED, (day, asset_id), limit)
    if len(dated) == limit:
        return dated
    return dated + await select_ends(conn, chosen, (None, ""), limit - len(dated))


async def _select_ends(conn: Connection, chosen: Selection, days: str, after: Place, limit: int) -> list[ComponentEnd]:
    """Ends of some days. Those with and those without one are asked for apart, so that each can read an index."""
    rows = await conn.fetch(
        f"""SELECT e.*, e.ends_on AS on, a.name FROM ends_of_life e JOIN assets a ON a.id = e.asset_id
           WHERE ($1::text[] IS NULL OR e.site_id = ANY($1)) AND ($2::text IS NULL OR e.site_id = $2)
             AND ($3::text IS NULL OR e.type = $3) AND ($4::text IS NULL OR e.ground = $4)
             AND ($5::date IS NULL OR e.ends_on < $5) AND ($6::date IS NULL OR e.ends_on >= $6)
             AND ($7::text[] IS NULL OR e.asset_id = ANY($7))
             AND {days}
           ORDER BY e.ends_on, e.asset_id LIMIT $10""",  # noqa: S608 -- our own text
        chosen.sites,
        chosen.site_id,
        chosen.type,
        chosen.ground,
        chosen.before,
        chosen.since,
        chosen.asset_ids,
        *after,
        limit,
    )
    return [ComponentEnd.model_validate(dict(row)) for row in rows]


async def select_budget(conn: Connection, chosen: Selection, first_month: int, now: datetime) -> list[BudgetLine]:
    """How many components end, by budget year, site, type and ground."""
    rows = await conn.fetch(
        """SELECT extract(year FROM e.ends_on)::integer
                      + ($5 > 1 AND extract(month FROM e.ends_on) >= $5)::integer AS budget_year,
                  e.site_id, e.type, e.ground, count(*) AS components,
                  count(*) FILTER (WHERE e.ends_on <= ($4 AT TIME ZONE s.time_zone)::date) AS past
           FROM ends_of_life e JOIN sites s ON s.id = e.site_id
           WHERE ($1::text[] IS NULL OR e.site_id = ANY($1)) AND ($2::text IS NULL OR e.site_id = $2)
             AND ($3::text IS NULL OR e.type = $3)
           GROUP BY 1, 2, 3, 4 ORDER BY 1 NULLS LAST, 2, 3, 4 NULLS LAST""",
        chosen.sites,
        chosen.site_id,
        chosen.type,
        now,
        first_month,
    )
    return [BudgetLine.model_validate(dict(row)) for row in rows]


async def upsert_advisory(conn: Connection, asset_id: str, site_id: str, told: AdvisoryPublished) -> None:
    """Keeps what an advisory means for a component of the site, unless a newer version is kept."""
    await conn.execute(
        """INSERT INTO advisories (asset_id, advisory_id, state, version)
           SELECT asset_id, $3, $4, $5 FROM components WHERE asset_id = $1 AND site_id = $2
           ON CONFLICT (asset_id, advisory_id) DO UPDATE SET state = $4, version = $5 WHERE advisories.version < $5""",
        asset_id,
        site_id,
        told.advisory_id,
        told.state,
        told.version,
    )


async def select_rules(conn: Connection) -> list[TypeRule]:
    """The rules that the group has set, by type."""
    rows = await conn.fetch("SELECT * FROM end_rules ORDER BY type")
    return [TypeRule.model_validate(dict(row)) for row in rows]


async def upsert_rule(conn: Connection, rule: TypeRule) -> None:
    """Replaces a type's rule by its next version, and has its components looked at again. Raises Stale."""
    changed = await conn.fetchval(
        """INSERT INTO end_rules (type, rule, version) VALUES ($1, $2, $3)
           ON CONFLICT (type) DO UPDATE SET rule = $2, version = $3 WHERE end_rules.version = $3 - 1 RETURNING true""",
        rule.type,
        rule.rule.model_dump(mode="json"),
        rule.version,
    )
    if not changed:
        raise Stale(f"the rule of {rule.type} was changed by somebody else; get it again")
    await conn.execute("UPDATE ends_of_life SET seen_facts = '' WHERE type = $1", rule.type)


async def select_open_orders(conn: Connection, asset_ids: Sequence[str]) -> Mapping[str, ReplacementOrder]:
    """The orders of components that are not settled."""
    rows = await conn.fetch(
        "SELECT * FROM replacement_orders WHERE asset_id = ANY($1) AND state <> 'settled' FOR UPDATE", asset_ids
    )
    return {row["asset_id"]: _order(row) for row in rows}


async def select_order(conn: Connection, order_id: str) -> ReplacementOrder:
    """One order. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM replacement_orders WHERE id = $1", order_id)
    return _order(found(row, f"replacement order {order_id}"))


async def lock_order(conn: Connection, order_id: str) -> ReplacementOrder:
    """One order, which nobody else changes until the transaction ends. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM replacement_orders WHERE id = $1 FOR UPDATE", order_id)
    return _order(found(row, f"replacement order {order_id}"))


async def select_orders(conn: Connection, chosen: Selection, after: Place | None, limit: int) -> list[ReplacementOrder]:
    """Orders by the day by which they must be raised, and id, behind ``after``."""
    rows = await conn.fetch(
        """SELECT * FROM replacement_orders
           WHERE ($1::text[] IS NULL OR site_id = ANY($1)) AND ($2::text IS NULL OR site_id = $2)
             AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR state = $4)
             AND ($5::date IS NULL OR due < $5) AND ($6::date IS NULL OR (order_by, id) > ($6, $7))
           ORDER BY order_by, id LIMIT $8""",
        chosen.sites,
        chosen.site_id,
        chosen.type,
        chosen.state,
        chosen.before,
        *(after or (None, None)),
        limit,
    )
    return [_order(row) for row in rows]


async def upsert_order(conn: Connection, order: ReplacementOrder) -> None:
    """Stores an order, whose component or row the caller has locked."""
    await conn.execute(
        """INSERT INTO replacement_orders VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
           ON CONFLICT (id) DO UPDATE SET state = $6, due = $7, order_by = $8, ground = $9, why = $10, reference = $11,
               waived_until = $12, reason = $13, version = $14""",
        order.id,
        order.asset_id,
        order.site_id,
        order.name,
        order.type,
        order.state,
        order.due,
        order.order_by,
        order.ground,
        order.why,
        order.reference,
        order.waived_until,
        order.reason,
        order.version,
    )


def _seen(row: asyncpg.Record) -> Seen:
    began = row["installed_on"] or row["purchase_date"]
    return Seen(
        asset_id=row["asset_id"],
        site_id=row["site_id"],
        name=row["name"],
        type=row["type"],
        facts=row["facts"],
        is_in_use=row["is_in_use"],
        today=row["today"],
        purchase_date=row["purchase_date"],
        product_id=row["product_id"],
        software_version=row["software_version"],
        usage=tuple(Usage.model_validate({**counter, "began": began}) for counter in row["usage"] or ()),
        unfixed_advisories=tuple(row["unfixed_advisories"]),
    )


def _order(row: asyncpg.Record) -> ReplacementOrder:
    return ReplacementOrder.model_validate(dict(row))
