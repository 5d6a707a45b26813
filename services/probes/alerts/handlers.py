"""Events of windows, and what results do to alerts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from services.probes.alerts import store
from services.probes.alerts.domain import (
    Alert,
    Policy,
    Raise,
    Resolve,
    Window,
    is_held_back,
    judge,
    severity_of,
)
from services.probes.history.domain import Result
from services.probes.runs.domain import Probe
from shared.events import Event
from shared.events.alerts import AlertRaised, AlertResolved
from shared.transactions import Transaction, new_id

LONGEST_RUN = timedelta(days=1)


async def keep_window(tx: Transaction, event: Event[Any]) -> None:
    """Takes over a window's times and scope, unless a later revision is known."""
    await store.upsert_window(tx.conn, event.data)


async def start_window(tx: Transaction, event: Event[Any]) -> None:
    """The window is open from the event's time on, unless its planned start came first."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, started_at=event.time)


async def end_window(tx: Transaction, event: Event[Any]) -> None:
    """The window is closed from the event's time on, unless its planned end came first."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, ended_at=event.time)


async def cancel_window(tx: Transaction, event: Event[Any]) -> None:
    """The window holds nothing back any more."""
    await keep_window(tx, event)
    await store.mark_window(tx.conn, event.data.window_id, is_cancelled=True)


async def load_windows(tx: Transaction, policy: Policy) -> list[Window]:
    """The windows that matter for results of now."""
    return await store.select_windows(tx.conn, tx.now - policy.grace - LONGEST_RUN)


async def judge_result(
    tx: Transaction, probe: Probe, result: Result, windows: Sequence[Window], policy: Policy
) -> bool:
    """Moves the probe's alert by a result and publishes what is to be told; true while the alert is undecided."""
    state = await store.select_state(tx.conn, probe.id)
    held_back = is_held_back(windows, {probe.subject, probe.system_id}, result.started_at, policy)
    moved, transition = judge(state, result.outcome, held_back, result.started_at, policy)
    if moved != state:
        await store.upsert_state(tx.conn, probe.id, moved)
    if isinstance(transition, Raise):
        await _raise(tx, probe, result, transition)
    elif isinstance(transition, Resolve):
        await _resolve(tx, probe, f"The check {probe.kind} succeeds again.")
    return moved.is_undecided(policy)


async def close_alert(tx: Transaction, probe: Probe, why: str) -> None:
    """Forgets where a probe stood and resolves what alert it has, because it is made no longer."""
    await store.delete_state(tx.conn, probe.id)
    await _resolve(tx, probe, f"It is no longer probed: {why}.")


async def _raise(tx: Transaction, probe: Probe, result: Result, transition: Raise) -> None:
    alert = Alert(
        id=new_id(),
        check=probe.kind,
        subject=probe.subject,
        asset_name=probe.name,
        site_id=probe.site_id,
        system_id=probe.system_id,
        severity=severity_of(result.failure),
        summary=result.detail,
        since=transition.since,
        raised_at=tx.now,
        persisted_past_window=transition.persisted_past_window,
    )
    await store.insert_alert(tx.conn, alert)
    raised = AlertRaised(
        alert_id=alert.id,
        check=alert.check,
        asset_name=alert.asset_name,
        severity=alert.severity,
        summary=alert.summary,
        since=alert.since,
        system_id=alert.system_id,
        persisted_past_window=alert.persisted_past_window,
    )
    tx.record(raised, subject=alert.subject, site_id=alert.site_id)


async def _resolve(tx: Transaction, probe: Probe, summary: str) -> None:
    alert = await store.resolve_alert(tx.conn, probe.subject, probe.kind, tx.now, summary)
    if alert is None:
        return
    resolved = AlertResolved(
        alert_id=alert.id,
        check=alert.check,
        asset_name=alert.asset_name,
        summary=summary,
        raised_at=alert.raised_at,
        resolved_at=tx.now,
        system_id=alert.system_id,
    )
    tx.record(resolved, subject=alert.subject, site_id=alert.site_id)
