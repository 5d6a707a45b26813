"""Commands on ends of life and on the orders that they call for."""

from collections.abc import Mapping, Sequence
from datetime import date

from services.inventory.endoflife import store
from services.inventory.endoflife.domain import (
    RULES,
    ComponentEnd,
    Facts,
    ReplacementOrder,
    Rule,
    TypeRule,
    changed_order,
    check_decision,
    end_of_life,
    order_by,
)
from services.inventory.endoflife.store import Seen
from services.inventory.history.handlers import keep
from services.inventory.vendors.domain import SupportEnd, SupportUnknown
from services.inventory.vendors.handlers import support_of
from shared.database import Connection
from shared.errors import NotFound
from shared.events import GROUP
from shared.events.inventory import EndRuleChanged, ReplacementChanged
from shared.events.maintenance import AdvisoryPublished
from shared.resource import check_version
from shared.transactions import Transaction, new_id

BATCH = 200

Runs = tuple[str | None, str | None]
"""A product and its version."""


async def look_at_some(tx: Transaction, after: str) -> str | None:
    """Works out the ends of some components behind the id ``after``, and raises and settles their orders.

    They are those of which something new was told, and those not looked at today. Returns the last one's id; None when
    there was none.
    """
    seen = await store.lock_stale(tx.conn, tx.now, after, BATCH)
    used = [component for component in seen if component.is_in_use]
    rules = await rules_in_force(tx.conn)
    ends = await _ends(tx.conn, used, rules)
    await store.upsert_ends(tx.conn, ends, used)
    await store.delete_ends(tx.conn, [component.asset_id for component in seen if not component.is_in_use])
    orders = await store.select_open_orders(tx.conn, [component.asset_id for component in seen])
    due = {end.asset_id: end for end in ends}
    for component in seen:
        await _follow(tx, orders.get(component.asset_id), due.get(component.asset_id), rules, component.today)
    return seen[-1].asset_id if seen else None


async def _follow(
    tx: Transaction,
    order: ReplacementOrder | None,
    end: ComponentEnd | None,
    rules: Mapping[str, Rule],
    today: date,
) -> None:
    lead = Rule().lead_days if end is None else rules.get(end.type, Rule()).lead_days
    due = None if end is None else changed_order(order, end, lead, today, new_id())
    if order is not None and (due is None or due.id != order.id):
        await _save(tx, order, order.model_copy(update={"state": "settled", "version": order.version + 1}))
        order = None
    if due is not None and due != order:
        await _save(tx, order, due)


async def decide_order(
    tx: Transaction,
    order_id: str,
    expected_version: int,
    state: str,
    reference: str | None,
    waived_until: date | None,
    reason: str | None,
) -> ReplacementOrder:
    """Marks an order as placed, or waives it for a time. Raises NotFound, Stale, Malformed, Conflict."""
    old = await store.lock_order(tx.conn, order_id)
    check_version(f"replacement order {order_id}", old, expected_version)
    check_decision(old, state, waived_until, reason, tx.now.date())
    changes = {"state": state, "reference": reference, "waived_until": waived_until, "reason": reason}
    return await _save(tx, old, old.model_copy(update=changes | {"version": old.version + 1}))


async def set_rule(tx: Transaction, component_type: str, expected_version: int, rule: Rule) -> TypeRule:
    """Sets the group's rule for a type of components; its components are looked at anew. Raises Stale."""
    old = await find_rule(tx.conn, component_type)
    check_version(f"the rule of {component_type}", old, expected_version)
    changed = TypeRule(type=component_type, rule=rule, version=old.version + 1)
    await store.upsert_rule(tx.conn, changed)
    await keep(tx, "end_rule", old, changed)
    told = EndRuleChanged.model_validate(rule.model_dump() | {"version": changed.version})
    tx.record(told, subject=component_type, site_id=GROUP)
    return changed


async def take_advisory(tx: Transaction, asset_id: str, site_id: str, told: AdvisoryPublished) -> None:
    """Keeps what an advisory means for a component; of systems and nodes, whose parts end by themselves, nothing."""
    await store.upsert_advisory(tx.conn, asset_id, site_id, told)


async def find_rules(conn: Connection) -> list[TypeRule]:
    """The rules of all types that have one."""
    own = {rule.type: rule for rule in await store.select_rules(conn)}
    built_in = {name: TypeRule(type=name, rule=rule, version=0) for name, rule in RULES.items()}
    return [rule for _, rule in sorted((built_in | own).items())]


async def find_rule(conn: Connection, component_type: str) -> TypeRule:
    """The rule of a type; of one that nothing ends by itself, an empty one."""
    known = (rule for rule in await find_rules(conn) if rule.type == component_type)
    return next(known, TypeRule(type=component_type, rule=Rule(), version=0))


async def rules_in_force(conn: Connection) -> Mapping[str, Rule]:
    """The rule of each type that has one."""
    return {found.type: found.rule for found in await find_rules(conn)}


async def find_end(conn: Connection, component: Seen) -> ComponentEnd:
    """When a component ends, by what is known now."""
    return (await _ends(conn, [component], await rules_in_force(conn)))[0]


async def _ends(conn: Connection, seen: Sequence[Seen], rules: Mapping[str, Rule]) -> list[ComponentEnd]:
    support = await _support_of(conn, seen)
    return [_end(one, rules.get(one.type, Rule()), support[one.product_id, one.software_version]) for one in seen]


async def _support_of(conn: Connection, seen: Sequence[Seen]) -> Mapping[Runs, SupportEnd]:
    return {runs: await _support(conn, *runs) for runs in {(one.product_id, one.software_version) for one in seen}}


async def _support(conn: Connection, product_id: str | None, version: str | None) -> SupportEnd:
    try:
        return SupportUnknown() if product_id is None else await support_of(conn, product_id, version or "")
    except NotFound:
        return SupportUnknown()


def _end(component: Seen, rule: Rule, support: SupportEnd) -> ComponentEnd:
    facts = Facts(
        type=component.type,
        purchase_date=component.purchase_date,
        usage=component.usage,
        support=support,
        unfixed_advisories=component.unfixed_advisories,
    )
    end = end_of_life(facts, rule, component.today)
    first = end.first
    return ComponentEnd(
        candidates=end.candidates,
        unknown=end.unknown,
        asset_id=component.asset_id,
        site_id=component.site_id,
        name=component.name,
        type=component.type,
        on=first and first.on,
        ground=first and first.ground,
        order_by=first and order_by(first, rule),
    )


async def _save(tx: Transaction, old: ReplacementOrder | None, order: ReplacementOrder) -> ReplacementOrder:
    await store.upsert_order(tx.conn, order)
    await keep(tx, "replacement_order", old, order)
    told = ReplacementChanged.model_validate(order.model_dump() | {"order_id": order.id})
    tx.record(told, subject=order.asset_id, site_id=order.site_id)
    return order
