"""Commands on components. One is put as many are: all are judged in memory and written in a few statements."""

from collections.abc import Sequence

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Component
from services.inventory.components import store
from services.inventory.components.domain import (
    NESTING,
    BulkResult,
    ComponentChange,
    ComponentDraft,
    ComponentUpdate,
    RowResult,
    parse_component,
)
from services.inventory.components.known import ChangedComponent, Known, NewComponent, Put, by_type
from services.inventory.fields.handlers import hold_fields
from services.inventory.sites.handlers import zones_of
from services.inventory.vendors.handlers import makers_of
from services.inventory.vendors.names import Makers
from shared.bulk import Problem, check_none_refused
from shared.database import Connection
from shared.errors import Conflict, Refused
from shared.grants import Caller
from shared.transactions import Transaction, new_id


async def find_component(conn: Connection, component_id: str) -> Component:
    """The component as it stands. Raises NotFound."""
    return await store.select_component(conn, component_id)


async def register_component(tx: Transaction, draft: ComponentDraft, caller: Caller) -> Component:
    """Adds a component. Raises NotFound, Forbidden, Malformed, Conflict."""
    [made] = await put_components(tx, [NewComponent(new_id(), draft)], caller)
    return _made(made)


async def change_component(
    tx: Transaction, component_id: str, expected_version: int, change: ComponentChange, caller: Caller
) -> Component:
    """Replaces all about a component but its site, type and state. Raises as ``register_component``, and Stale."""
    [made] = await put_components(tx, [ChangedComponent(component_id, expected_version, change)], caller)
    return _made(made)


async def put_bulk(tx: Transaction, rows: Sequence[object], caller: Caller, atomic: bool) -> BulkResult:
    """Makes or changes a component for each row that keeps the rules, and says what became of each.

    Raises RowsRefused, with the same list, where all or none were wanted and one was refused.
    """
    parsed = [_parse(row) for row in rows]
    outcomes = iter(await put_components(tx, [row for row in parsed if not isinstance(row, Refused)], caller))
    results = [_result(index, row if isinstance(row, Refused) else next(outcomes)) for index, row in enumerate(parsed)]
    if atomic:
        check_none_refused(results)
    refused = sum(result.problem is not None for result in results)
    created = sum(result.component is not None and result.component.version == 1 for result in results)
    changed = len(rows) - refused - created
    return BulkResult(created=created, changed=changed, refused=refused, rows=results)


async def put_components(tx: Transaction, rows: Sequence[Put], caller: Caller) -> list[Component | Refused]:
    """Makes and changes components, and says of each row what came of it: the component, or why it was refused.

    A row may name components of rows before it. The rest is written, in a few statements for all; who wants all or
    none raises. Raises Conflict where somebody else has taken a serial number or a tag at the same moment.
    """
    known = await _gather(tx, rows, caller)
    outcomes: list[Component | Refused] = []
    changes: dict[str, tuple[Component | None, Component]] = {}
    for row in rows:
        try:
            if row.id in changes:
                raise Conflict(f"component {row.id} is named by another row too")
            made = known.judge(row)
        except Refused as exc:
            outcomes.append(exc)
            continue
        changes[row.id] = (known.components.get(row.id), made)
        known.learn(made)
        outcomes.append(made)
    await _write(tx, list(changes.values()), known.makers)
    return outcomes


async def _gather(tx: Transaction, rows: Sequence[Put], caller: Caller) -> Known:
    wanted = [row.draft if isinstance(row, NewComponent) else row.change for row in rows]
    olds = await store.lock_components(tx.conn, [row.id for row in rows])
    types = {row.draft.type for row in rows if isinstance(row, NewComponent)} | {old.type for old in olds}
    if types & NESTING and any(change.installed_in for change in wanted):
        await store.lock_nesting(tx.conn)
    holders = await store.hold_lines(tx.conn, {change.installed_in for change in wanted if change.installed_in})
    systems = await assets.hold_systems(tx, {change.system_id for change in wanted if change.system_id})
    sites = {row.draft.site_id for row in rows if isinstance(row, NewComponent)}
    told: list[ComponentChange | Component] = [*wanted, *olds]
    known = Known(
        caller=caller,
        now=tx.now,
        zones=await zones_of(tx.conn, sites | {old.site_id for old in olds}),
        components={component.id: component for component in (*holders, *olds)},
        systems={system.id: system for system in systems},
        definitions=by_type(await hold_fields(tx, types)),
        makers=await makers_of(
            tx.conn,
            {one.manufacturer for one in told if one.manufacturer},
            {one.product_id for one in told if one.product_id},
        ),
    )
    sought = {found: unique for row in rows for found, unique in known.sought(row).items()}
    for found, owner in await store.select_owners(tx.conn, sought):
        known.owners[sought[found]][owner.id] = owner
    return known


async def _write(tx: Transaction, changes: Sequence[tuple[Component | None, Component]], makers: Makers) -> None:
    added = [new for old, new in changes if old is None]
    if added:
        await assets.add_components(tx, added)
        await store.insert_components(tx.conn, added, makers)
    changed = [(old, new) for old, new in changes if old is not None]
    if changed:
        await assets.change_components(tx, changed)
        await store.update_components(tx.conn, [new for _, new in changed], makers)


def _parse(row: object) -> Put | Refused:
    try:
        body = parse_component(row)
    except Refused as exc:
        return exc
    if isinstance(body, ComponentUpdate):
        return ChangedComponent(body.id, body.version, body)
    return NewComponent(new_id(), body)


def _result(index: int, outcome: Component | Refused) -> RowResult:
    if isinstance(outcome, Refused):
        return RowResult(index=index, problem=Problem.of(outcome))
    return RowResult(index=index, component=outcome)


def _made(outcome: Component | Refused) -> Component:
    if isinstance(outcome, Refused):
        raise outcome
    return outcome
