"""Commands on groups."""

from services.inventory.groups import store
from services.inventory.groups.domain import Group, check_empty, check_nesting, full_state
from services.inventory.history.handlers import keep
from shared.database import Connection
from shared.events import GROUP
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def hold_group(tx: Transaction, group_id: str) -> Group:
    """The group, which nobody takes away until the transaction ends. Raises NotFound."""
    return await store.hold_group(tx.conn, group_id)


async def sites_inside(conn: Connection, group_id: str) -> list[str]:
    """The ids of the sites of a group and of the groups in it. Raises NotFound."""
    return await store.select_sites_inside(conn, group_id)


async def create_group(tx: Transaction, name: str, parent_id: str | None, as_id: str | None = None) -> Group:
    """Adds a group, under the id that it had elsewhere if one is given.

    Raises NotFound without its parent, Conflict when its name is taken beside it.
    """
    group = Group(id=as_id or new_id(), name=name, parent_id=parent_id, version=1)
    await _check_nesting(tx, group)
    await store.insert_group(tx.conn, group)
    await _record(tx, None, group)
    return group


async def change_group(
    tx: Transaction, group_id: str, expected_version: int, name: str, parent_id: str | None
) -> Group:
    """Renames or moves a group. Raises NotFound, Stale, or Conflict, which for a ring names the way round."""
    await store.lock_groups(tx.conn)
    old = await store.select_group(tx.conn, group_id)
    check_version(f"group {group_id}", old, expected_version)
    group = Group(id=group_id, name=name, parent_id=parent_id, version=old.version + 1)
    await _check_nesting(tx, group)
    await store.update_group(tx.conn, group)
    await _record(tx, old, group)
    return group


async def delete_group(tx: Transaction, group_id: str, expected_version: int) -> Group:
    """Takes a group away and returns it as it was. Raises NotFound, Stale, or Conflict naming what is in it."""
    await store.lock_groups(tx.conn)
    group = await store.select_group(tx.conn, group_id)
    check_version(f"group {group_id}", group, expected_version)
    check_empty(group, *await store.select_names_inside(tx.conn, group_id))
    await store.delete_group(tx.conn, group_id)
    await _record(tx, group, None)
    return group


async def _check_nesting(tx: Transaction, group: Group) -> None:
    await store.lock_groups(tx.conn)
    if group.parent_id is not None:
        check_nesting(group, await store.select_line(tx.conn, group.parent_id))


async def _record(tx: Transaction, old: Group | None, new: Group | None) -> None:
    if told := new or old:
        tx.record(full_state(told, deleted=new is None), subject=told.id, site_id=GROUP)
    await keep(tx, "group", old, new)
