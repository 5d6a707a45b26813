"""Commands on waivers."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import check_not_ended
from services.inventory.history.handlers import keep
from services.inventory.people.domain import check_is_person
from services.inventory.people.handlers import same_person
from services.inventory.policies.handlers import newest_policy
from services.inventory.waivers import store
from services.inventory.waivers.domain import Verdict, Waiver, check_request, decided, full_state, withdrawn
from shared.database import Connection
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def find_waiver(conn: Connection, waiver_id: str) -> Waiver:
    """One waiver. Raises NotFound."""
    return await store.select_waiver(conn, waiver_id)


async def approved_of(conn: Connection, asset_id: str) -> Mapping[str, Sequence[Waiver]]:
    """The approved waivers of an asset by kind of evidence, also those that have expired."""
    by_kind: dict[str, list[Waiver]] = {}
    for waiver in await store.select_approved(conn, asset_id):
        by_kind.setdefault(waiver.kind, []).append(waiver)
    return by_kind


async def request_waiver(tx: Transaction, asset_id: str, kind_id: str, reason: str, expires_at: datetime) -> Waiver:
    """Asks that an asset goes without a kind of evidence; nothing changes until another person approves.

    Raises NotFound, Malformed, Conflict.
    """
    asset = await assets.hold_asset(tx, asset_id)
    check_not_ended(asset)
    check_request(await newest_policy(tx.conn), kind_id, expires_at, tx.now)
    waiver = Waiver(
        id=new_id(),
        asset_id=asset.id,
        site_id=asset.site_id,
        kind=kind_id,
        state="requested",
        reason=reason,
        expires_at=expires_at,
        requested_by=tx.actor,
        requested_at=tx.now,
        version=1,
    )
    await store.insert_waiver(tx.conn, waiver)
    await _record(tx.because(reason), None, waiver)
    return waiver


async def decide_waiver(
    tx: Transaction, waiver_id: str, expected_version: int, verdict: Verdict, reason: str
) -> Waiver:
    """Approves or rejects a waiver. Raises NotFound, Stale, Conflict, Forbidden for a program."""
    check_is_person(tx.actor)
    old = await _hold(tx, waiver_id, expected_version)
    same = await same_person(tx.conn, tx.actor, {old.requested_by})
    return await _change(tx, old, decided(old, verdict, tx.actor, same, reason, tx.now), reason)


async def withdraw_waiver(tx: Transaction, waiver_id: str, expected_version: int, reason: str) -> Waiver:
    """Takes a waiver back. Raises NotFound, Stale, Conflict."""
    old = await _hold(tx, waiver_id, expected_version)
    return await _change(tx, old, withdrawn(old, tx.actor, reason, tx.now), reason)


async def _hold(tx: Transaction, waiver_id: str, expected_version: int) -> Waiver:
    waiver = await store.select_waiver(tx.conn, waiver_id)
    await assets.hold_asset(tx, waiver.asset_id)
    waiver = await store.select_waiver(tx.conn, waiver_id)
    check_version(f"waiver {waiver_id}", waiver, expected_version)
    return waiver


async def _change(tx: Transaction, old: Waiver, waiver: Waiver, reason: str) -> Waiver:
    await store.update_waiver(tx.conn, waiver, old.version)
    await _record(tx.because(reason), old, waiver)
    return waiver


async def _record(tx: Transaction, old: Waiver | None, waiver: Waiver) -> None:
    await keep(tx, "waiver", old, waiver)
    tx.record(full_state(waiver), subject=waiver.asset_id, site_id=waiver.site_id)
