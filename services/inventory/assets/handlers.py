"""Commands on assets."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TypeVar

from services.inventory.assets import store
from services.inventory.assets.domain import (
    Asset,
    Component,
    Membership,
    Node,
    Placing,
    Software,
    StartState,
    System,
    check_cluster,
    check_mirror,
    check_not_ended,
    check_same_site,
    full_state,
    parse_software,
)
from services.inventory.history.handlers import keep, keep_all
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.events.inventory import DicomAddress, LifecycleState
from shared.resource import check_version
from shared.transactions import Transaction, new_id

A = TypeVar("A", bound=Asset)


async def find_asset(conn: Connection, asset_id: str) -> Asset:
    """The asset as it stands. Raises NotFound."""
    return await store.select_asset(conn, asset_id)


async def find_system(conn: Connection, system_id: str) -> System:
    """The system as it stands. Raises NotFound."""
    return await store.select_system(conn, system_id)


async def register_system(
    tx: Transaction,
    site_id: str,
    name: str,
    software: Software,
    state: StartState,
    placing: Placing | None = None,
    as_id: str | None = None,
) -> System:
    """Adds a system to a site, under the id that it had elsewhere if one is given.

    Raises NotFound when there is no such site, Conflict when the name is taken there.
    """
    system = System(
        id=as_id or new_id(), site_id=site_id, name=name, state=state, software=software, version=1, **(placing or {})
    )
    await _check_mirror(tx, system)
    await store.insert_asset(tx.conn, system)
    await _record(tx, None, system)
    return system


async def change_system(
    tx: Transaction,
    system_id: str,
    expected_version: int,
    name: str,
    software: Software,
    placing: Placing | None = None,
) -> System:
    """Replaces a system's name and software, and of its placing what is named. Raises NotFound, Stale, Conflict."""
    old = await store.select_system(tx.conn, system_id)
    _check_changeable(old, expected_version)
    changes = {"name": name, "software": software, "version": old.version + 1, **(placing or {})}
    new = old.model_copy(update=changes)
    await _check_mirror(tx, new)
    saved = await _save(tx, old, new)
    if software.version != old.software.version:
        await store.note_version_told(tx.conn, system_id, tx.now)
    return saved


async def register_node(
    tx: Transaction,
    system_id: str,
    name: str,
    address: DicomAddress,
    state: StartState,
    membership: Membership | None = None,
    as_id: str | None = None,
) -> Node:
    """Adds a node at the site of its system, under the id that it had elsewhere if one is given.

    Raises NotFound, or Conflict when its address is taken there.
    """
    system = await store.hold_system(tx.conn, system_id)
    check_not_ended(system)
    node = Node(
        id=as_id or new_id(),
        site_id=system.site_id,
        system_id=system.id,
        name=name,
        state=state,
        version=1,
        **address.model_dump(),
        **(membership or {}),
    )
    check_cluster(node.cluster, node.cluster_role)
    await store.insert_asset(tx.conn, node)
    await _record(tx, None, node)
    return node


async def change_node(
    tx: Transaction,
    node_id: str,
    expected_version: int,
    system_id: str,
    name: str,
    address: DicomAddress,
    membership: Membership | None = None,
) -> Node:
    """Replaces all about a node but its site, and of its cluster what is named. Raises NotFound, Stale, Conflict."""
    old = await store.select_node(tx.conn, node_id)
    _check_changeable(old, expected_version)
    system = await store.hold_system(tx.conn, system_id)
    check_same_site(old, system)
    check_not_ended(system)
    changes = {"system_id": system_id, "name": name, "version": old.version + 1, **address.model_dump()}
    new = old.model_copy(update=changes | (membership or {}))
    check_cluster(new.cluster, new.cluster_role)
    return await _save(tx, old, new)


async def hold_systems(tx: Transaction, system_ids: Collection[str]) -> list[System]:
    """Those of these systems that there are; their states stay until the transaction ends."""
    return await store.hold_systems(tx.conn, system_ids)


async def add_components(tx: Transaction, components: Sequence[Component]) -> None:
    """Makes assets of components whose sites there are; each is told of. Their own facts are the caller's to store."""
    await store.insert_components(tx.conn, components)
    await _record_all(tx, [(None, component) for component in components])


async def change_components(tx: Transaction, changes: Sequence[tuple[Component, Component]]) -> None:
    """Changes what components have as assets, from the first to the second of each pair; each is told of.

    The caller has locked them.
    """
    await store.update_components(tx.conn, [new for _, new in changes])
    await _record_all(tx, changes)


async def lock_asset(tx: Transaction, asset_id: str, expected_version: int) -> Asset:
    """The asset, which nobody else changes until the transaction ends. Raises NotFound, Stale."""
    asset = await store.lock_asset(tx.conn, asset_id)
    check_version(f"{asset.kind} {asset.id}", asset, expected_version)
    return asset


async def hold_asset(tx: Transaction, asset_id: str) -> Asset:
    """The asset as it stands, which nobody else changes until the transaction ends. Raises NotFound."""
    return await store.lock_asset(tx.conn, asset_id)


async def live_nodes(tx: Transaction, system_id: str) -> list[Node]:
    """The nodes of a system whose lives are not over. Complete for as long as the system is locked."""
    return await store.select_live_nodes(tx.conn, system_id)


async def parts_of(conn: Connection, asset_id: str) -> list[Node | Component]:
    """The nodes and components that belong to an asset or are installed in it, in whatever state, by id."""
    return await store.select_parts(conn, asset_id)


async def put_in_state(tx: Transaction, asset: Asset, state: LifecycleState) -> Asset:
    """Stores the state of an asset that ``lock_asset`` gave; whether the move is allowed is the lifecycle's to say."""
    new = asset.model_copy(update={"state": state, "version": asset.version + 1})
    return await _save(tx, asset, new)


async def take_version_over(tx: Transaction, system_id: str, site_id: str, version: str, told_at: datetime) -> None:
    """Notes that a system runs another version, unless a later word on it is known.

    Raises Malformed, or NotFound when the site has no such system.
    """
    old = await store.lock_asset(tx.conn, system_id)
    if not isinstance(old, System) or old.site_id != site_id:
        raise NotFound(f"no system {system_id} at site {site_id}")
    software = parse_software(old.software.vendor, old.software.product, version)
    if await store.note_version_told(tx.conn, system_id, told_at):
        await _save(tx, old, old.model_copy(update={"software": software, "version": old.version + 1}))


def _check_changeable(asset: Asset, expected_version: int) -> None:
    check_version(f"{asset.kind} {asset.id}", asset, expected_version)
    check_not_ended(asset)


async def _check_mirror(tx: Transaction, system: System) -> None:
    if system.mirrors is not None:
        check_mirror(system, await store.hold_system(tx.conn, system.mirrors))
    if system.environment != "production" and (mirrors := await store.select_mirrors(tx.conn, system.id)):
        raise Conflict(f"system {system.name} is mirrored by {', '.join(mirrors)} and stays in production")


async def _save(tx: Transaction, old: A, new: A) -> A:
    await store.update_asset(tx.conn, new, old.version)
    await _record(tx, old, new)
    return new


async def _record(tx: Transaction, old: Asset | None, asset: Asset) -> None:
    tx.record(full_state(asset), subject=asset.id, site_id=asset.site_id)
    await keep(tx, asset.kind, old, asset)


async def _record_all(tx: Transaction, changes: Sequence[tuple[Component | None, Component]]) -> None:
    for _, new in changes:
        tx.record(full_state(new), subject=new.id, site_id=new.site_id)
    await keep_all(tx, "component", changes)
