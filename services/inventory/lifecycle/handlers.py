"""Commands on the lifecycle."""

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset, System, check_nodes_ended
from services.inventory.lifecycle import store
from services.inventory.lifecycle.domain import FINAL, Transition, check_move
from shared.events.inventory import AssetRetired, AssetTransitioned, LifecycleState
from shared.transactions import Transaction, new_id


async def move_asset(
    tx: Transaction, asset_id: str, expected_version: int, to_state: LifecycleState, reason: str
) -> Asset:
    """Moves an asset to another state and keeps who did it, when and why.

    Raises NotFound, Stale, or Conflict with the moves that are allowed or the nodes that are in the way.
    """
    old = await assets.lock_asset(tx, asset_id, expected_version)
    check_move(old.state, to_state)
    if isinstance(old, System) and to_state in FINAL:
        check_nodes_ended(await assets.live_nodes(tx, old.id))
    moved = await assets.put_in_state(tx, old, to_state)
    made = Transition(
        id=new_id(),
        asset_id=asset_id,
        from_state=old.state,
        to_state=to_state,
        reason=reason,
        actor=tx.actor,
        at=tx.now,
    )
    await store.insert_transition(tx.conn, made)
    _record(tx, moved, made)
    return moved


def _record(tx: Transaction, asset: Asset, made: Transition) -> None:
    transitioned = AssetTransitioned(from_state=made.from_state, to_state=made.to_state, reason=made.reason)
    tx.record(transitioned, subject=asset.id, site_id=asset.site_id)
    if made.to_state == "closed":
        retired = AssetRetired(kind=asset.kind, name=asset.name, reason=made.reason)
        tx.record(retired, subject=asset.id, site_id=asset.site_id)
