"""Commands on runs: ask for one, take one, tell how it ended."""

from dataclasses import replace

from services.backup.runs import store
from services.backup.runs.domain import Failure, Lease, Run, Snapshot, finish, plan
from services.backup.sets import handlers as sets
from services.backup.sets.domain import check_has_data
from shared import telemetry
from shared.events.alerts import AlertRaised, AlertResolved
from shared.transactions import Transaction, new_id

CHECK = "backup"


async def plan_run(tx: Transaction, set_id: str) -> Run:
    """Asks for a run of a set. Raises NotFound, Conflict while one is unfinished or the system has no data left."""
    protected = await sets.find_set(tx.conn, set_id)
    check_has_data(await sets.find_system(tx.conn, protected.system_id))
    run = plan(new_id(), protected, tx.actor, tx.now)
    await store.insert_run(tx.conn, run, tx.correlation_id, telemetry.traceparent())
    return run


async def lease_run(tx: Transaction, seconds: float) -> Lease | None:
    """Takes the next run for ``seconds``, or None when there is nothing to do."""
    return await store.lease_next_run(tx.conn, new_id(), seconds, tx.now)


async def finish_run(tx: Transaction, lease: Lease, outcome: Snapshot | Failure) -> bool:
    """Stores how a run ended and tells it; False, and nothing told, when the lease was lost meanwhile."""
    ended, event = finish(lease.run, outcome, tx.now)
    if not await store.end_run(tx.conn, lease, ended):
        return False
    tx = replace(tx, causation_id=ended.id)
    tx.record(event, subject=ended.system_id, site_id=ended.site_id)
    if isinstance(outcome, Failure):
        await _raise_alert(tx.acting_as(f"service:{tx.service}"), ended, outcome)
    else:
        await _resolve_alert(tx.acting_as(f"service:{tx.service}"), ended)
    return True


async def _raise_alert(tx: Transaction, run: Run, failure: Failure) -> None:
    alert = store.OpenAlert(new_id(), tx.now)
    if not await store.open_alert(tx.conn, run.set_id, alert):
        return
    system = await sets.find_system(tx.conn, run.system_id)
    raised = AlertRaised(
        alert_id=alert.alert_id,
        check=CHECK,
        asset_name=system.name,
        severity="critical",
        summary=f"Backup of {run.scope} to {run.repository} failed: {failure.reason}",
        since=alert.raised_at,
        system_id=system.id,
    )
    tx.record(raised, subject=system.id, site_id=run.site_id)


async def _resolve_alert(tx: Transaction, run: Run) -> None:
    alert = await store.close_alert(tx.conn, run.set_id)
    if alert is None:
        return
    system = await sets.find_system(tx.conn, run.system_id)
    resolved = AlertResolved(
        alert_id=alert.alert_id,
        check=CHECK,
        asset_name=system.name,
        summary=f"Backup of {run.scope} to {run.repository} completed",
        raised_at=alert.raised_at,
        resolved_at=tx.now,
        system_id=system.id,
    )
    tx.record(resolved, subject=system.id, site_id=run.site_id)
