"""Commands on custom fields."""

from collections.abc import Collection

from services.inventory.fields import store
from services.inventory.fields.domain import FieldDefinition, check_definition, check_kept, full_state
from services.inventory.history.handlers import keep
from shared.database import Connection
from shared.events import GROUP
from shared.events.inventory import ComponentType
from shared.resource import check_version
from shared.transactions import Transaction


async def define_field(tx: Transaction, field: FieldDefinition) -> FieldDefinition:
    """Adds a field to a type of component. Raises Malformed, or Conflict when the type has one of that name."""
    check_definition(field)
    await store.insert_field(tx.conn, field)
    await _record(tx, None, field)
    return field


async def change_field(
    tx: Transaction,
    field_id: str,
    expected_version: int,
    label: str,
    required: bool,
    unit: str | None,
    minimum: float | None,
    maximum: float | None,
    choices: list[str] | None,
) -> FieldDefinition:
    """Changes what a field asks for. Raises NotFound, Stale, Malformed.

    Raises Conflict with the number of components that have a value which it would then refuse, or another unit.
    """
    old = await store.lock_field(tx.conn, field_id)
    check_version(f"field {field_id}", old, expected_version)
    limits = {"unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices}
    changes = {"label": label, "required": required, "version": old.version + 1, **limits}
    field = old.model_copy(update=changes)
    check_definition(field)
    if unit != old.unit:
        check_kept(field, await store.count_values(tx.conn, field), "is of another unit")
    check_kept(field, await store.count_broken(tx.conn, field), "would be refused")
    await store.update_field(tx.conn, field)
    await _record(tx, old, field)
    return field


async def delete_field(tx: Transaction, field_id: str, expected_version: int) -> FieldDefinition:
    """Takes a field away and returns it as it was. Raises NotFound, Stale, Conflict while components have values."""
    field = await store.lock_field(tx.conn, field_id)
    check_version(f"field {field_id}", field, expected_version)
    check_kept(field, await store.count_values(tx.conn, field), "would be lost")
    await store.delete_field(tx.conn, field_id)
    await _record(tx, field, None)
    return field


async def hold_fields(tx: Transaction, types: Collection[ComponentType]) -> list[FieldDefinition]:
    """The fields of these types, which stay as they are until the transaction ends."""
    return await store.hold_fields(tx.conn, types)


async def fields_of(conn: Connection, component_type: ComponentType) -> list[FieldDefinition]:
    """The fields of a type."""
    return await store.select_fields(conn, component_type, None, None)


async def _record(tx: Transaction, old: FieldDefinition | None, new: FieldDefinition | None) -> None:
    if told := new or old:
        tx.record(full_state(told, deleted=new is None), subject=told.id, site_id=GROUP)
    await keep(tx, "field", old, new)
