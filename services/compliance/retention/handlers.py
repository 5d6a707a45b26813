"""Commands of retention."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.compliance.retention import store
from services.compliance.retention.domain import (
    Asked,
    Hold,
    PartitionPlan,
    Policy,
    Restoring,
    check_kind,
    check_policy,
    keeps,
    plan_of,
    release,
)
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.events import CONTRACTS, GROUP
from shared.events.compliance import HoldChanged, RetentionChanged
from shared.resource import check_version
from shared.transactions import Transaction, new_id


async def add_policy(
    tx: Transaction, site_id: str | None, event_type: str | None, days: int, reason: str | None
) -> Policy:
    """Says how long entries stay. Raises Malformed, or Conflict where that was said for this site and type."""
    check_policy(days, reason)
    await _check_kind(tx.conn, site_id, event_type)
    policy = Policy(id=new_id(), site_id=site_id, type=event_type, days=days, reason=reason, version=1)
    await store.insert_policy(tx.conn, policy)
    _tell_policy(tx, policy, policy.days)
    return policy


async def change_policy(
    tx: Transaction, policy_id: str, expected_version: int, days: int, reason: str | None
) -> Policy:
    """Says another time. Raises NotFound, Stale, Malformed."""
    check_policy(days, reason)
    old = await store.select_policy(tx.conn, policy_id)
    check_version(f"policy {policy_id}", old, expected_version)
    policy = old.model_copy(update={"days": days, "reason": reason, "version": old.version + 1})
    await store.update_policy(tx.conn, policy, expected_version)
    _tell_policy(tx, policy, policy.days)
    return policy


async def remove_policy(tx: Transaction, policy_id: str, expected_version: int) -> Policy:
    """Takes back what was said. Raises NotFound, Stale."""
    policy = await store.select_policy(tx.conn, policy_id)
    check_version(f"policy {policy_id}", policy, expected_version)
    await store.delete_policy(tx.conn, policy_id, expected_version)
    _tell_policy(tx, policy, None)
    return policy


def _tell_policy(tx: Transaction, policy: Policy, days: int | None) -> None:
    changed = RetentionChanged(site_id=policy.site_id, log_type=policy.type, days=days, reason=policy.reason)
    tx.record(changed, subject=policy.id, site_id=policy.site_id or GROUP)


async def place_hold(
    tx: Transaction,
    site_id: str | None,
    event_type: str | None,
    subject: str | None,
    from_time: datetime | None,
    to_time: datetime | None,
    reason: str,
) -> Hold:
    """Keeps entries until the hold is released, whatever the policies say. Raises Malformed."""
    await _check_kind(tx.conn, site_id, event_type)
    hold = Hold(
        id=new_id(),
        site_id=site_id,
        type=event_type,
        subject=subject,
        from_time=from_time,
        to_time=to_time,
        reason=reason,
        placed_by=tx.actor,
        placed_at=tx.now,
        version=1,
    )
    await store.insert_hold(tx.conn, hold)
    _tell_hold(tx, hold, reason)
    return hold


async def _check_kind(conn: Connection, site_id: str | None, event_type: str | None) -> None:
    """Types that no entry has yet are known by their contracts."""
    types = {*CONTRACTS, *await store.select_types(conn)}
    check_kind((site_id, event_type), await store.select_sites(conn), types)


async def release_hold(tx: Transaction, hold_id: str, expected_version: int, reason: str) -> Hold:
    """Ends a hold. Raises NotFound, Stale, Conflict."""
    old = await store.select_hold(tx.conn, hold_id)
    check_version(f"hold {hold_id}", old, expected_version)
    hold = release(old, tx.actor, tx.now, reason)
    await store.update_release(tx.conn, hold, expected_version)
    _tell_hold(tx, hold, reason)
    return hold


def _tell_hold(tx: Transaction, hold: Hold, reason: str) -> None:
    changed = HoldChanged(
        state="placed" if hold.released_at is None else "released",
        site_id=hold.site_id,
        log_type=hold.type,
        of_subject=hold.subject,
        from_time=hold.from_time,
        to_time=hold.to_time,
        reason=reason,
    )
    tx.record(changed, subject=hold.id, site_id=hold.site_id or GROUP)


async def read_plan(conn: Connection, now: datetime) -> list[PartitionPlan]:
    """Every partition of the log: how far it is on its way, and what keeps it."""
    policies, holds = await store.select_policies(conn), await store.select_holds(conn)
    archives = await store.select_archives(conn)
    plans = []
    for partition in await store.select_partitions(conn):
        archive = archives.get(partition.number)
        plan = plan_of(
            partition,
            policies,
            holds,
            now,
            location=archive.location if archive else None,
            fault=archive.fault if archive else None,
            restored_until=archive.restored_until if archive else None,
            size_bytes=await store.select_bytes(conn, partition.number),
        )
        plans.append(plan)
    return plans


async def ask_to_prune(tx: Transaction, numbers: Sequence[int], archive: str | None) -> Asked:
    """Has partitions archived and then pruned. Raises NotFound, and Conflict where one must stay or no archive is."""
    await store.lock_holds(tx.conn)
    await store.see_all_sites(tx.conn)
    policies, holds = await store.select_policies(tx.conn), await store.select_holds(tx.conn)
    found = {partition.number: partition for partition in await store.select_partitions(tx.conn, numbers)}
    for number in numbers:
        if number not in found:
            raise NotFound(f"no partition {number}")
        if found[number].state in ("pruned", "restoring", "restored"):
            raise Conflict(f"partition {number} was pruned before; one that was restored goes again by itself")
        if reasons := keeps(found[number], policies, holds, tx.now):
            raise Conflict(f"partition {number} must stay: {'; '.join(reasons)}", kept_by=reasons)
        _check_archive(archive)
        await store.insert_plan(tx.conn, number, tx.actor, tx.now, tx.correlation_id)
    return Asked(partitions=list(numbers))


async def ask_to_restore(tx: Transaction, number: int, days: int, archive: str | None) -> Restoring:
    """Has a pruned partition brought back for some days. Raises NotFound, Conflict."""
    _check_archive(archive)
    if not await store.has_partition(tx.conn, number):
        raise NotFound(f"no partition {number}")
    until = tx.now + timedelta(days=days)
    if not await store.update_restoring(tx.conn, number, until, tx.correlation_id):
        raise Conflict(f"partition {number} was not pruned, so there is nothing to restore")
    return Restoring(partition=number, until=until)


def _check_archive(archive: str | None) -> None:
    if archive is None:
        raise Conflict("there is no archive: set STEWARD_LOG_ARCHIVE, for example to s3://steward-archive/log")
