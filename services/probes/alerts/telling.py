"""Keeps what a batch of moves has led to, and tells of it: each transition is a row and an event."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from services.probes.alerts import store
from services.probes.alerts.domain import OK, AlertState, Change, Policy
from services.probes.alerts.judging import Move, about_probe, summary_of_change
from services.probes.alerts.records import About, Alert, Transition
from services.probes.baselines.domain import Key
from shared import telemetry
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned
from shared.transactions import Transaction

CHANGE_ALERTS = frozenset({"escalated", "deescalated", "flapping", "steadied"})


@dataclass(frozen=True, slots=True)
class Step:
    """One transition of one check, with all that there is to tell of it."""

    about: About
    change: Change
    state: AlertState
    summary: str
    at: datetime
    acknowledged_by: str | None = None


@dataclass
class Telling:
    """Collects the steps of one transaction; ``keep`` writes what is left of them."""

    tx: Transaction
    raised: dict[str, Alert] = field(default_factory=dict)
    resolved: dict[str, Alert] = field(default_factory=dict)
    changed: dict[str, AlertState] = field(default_factory=dict)
    transitions: list[Transition] = field(default_factory=list)

    async def fetch_resolved(self, steps: Iterable[Step]) -> None:
        """Resolves the alerts from before this transaction that end in it."""
        resolutions = {
            step.change.alert_id: step.summary
            for step in steps
            if step.change.what == "resolved" and step.change.alert_id is not None
        }
        if resolutions:
            for alert in await store.resolve_alerts(self.tx.conn, resolutions, self.tx.now):
                self.resolved[alert.id] = alert

    def tell(self, tx: Transaction, step: Step) -> None:
        """Records a step's event in the flow of ``tx`` and keeps it as a row."""
        event_id = self._record(tx, step)
        if event_id is None:
            return
        if step.change.what in CHANGE_ALERTS and step.change.alert_id is not None:
            self.changed[step.change.alert_id] = step.state
        about = {"measure": step.about.measure, "subject": step.about.subject, "site_id": step.about.site_id}
        self.transitions.append(Transition(id=event_id, **about, actor=tx.actor, **_told_of(step)))

    async def keep(self) -> None:
        """Writes alerts and transitions; those that were raised and resolved in between are written as they ended."""
        conn = self.tx.conn
        if self.raised:
            await store.insert_alerts(conn, list(self.raised.values()))
        if self.changed:
            await store.update_alerts(conn, self.changed.values())
        if self.transitions:
            await store.insert_transitions(conn, self.transitions)

    def _record(self, tx: Transaction, step: Step) -> str | None:
        if step.change.what == "raised":
            return self._raise(tx, step)
        if step.change.what == "resolved":
            return self._resolve(tx, step)
        told = AlertTransitioned(
            **_told_of(step),
            asset_name=step.about.asset_name,
            system_id=step.about.system_id,
            suppressed_by=step.state.suppressed_by,
            acknowledged_by=step.acknowledged_by,
        )
        return tx.record(told, subject=step.about.subject, site_id=step.about.site_id)

    def _raise(self, tx: Transaction, step: Step) -> str:
        alert = alert_of(step, tx.now)
        self.raised[alert.id] = alert
        return record_raised(tx, alert)

    def _resolve(self, tx: Transaction, step: Step) -> str | None:
        alert_id = step.change.alert_id or ""
        if alert_id in self.raised:
            ended = {"resolved_at": tx.now, "resolution": step.summary}
            alert = self.raised[alert_id] = self.raised[alert_id].model_copy(update=ended)
            return record_resolved(tx, alert)
        known = self.resolved.get(alert_id)
        return record_resolved(tx, known) if known else None


def _told_of(step: Step) -> dict[str, Any]:
    """What a step's row and its event have in common."""
    return {
        "probe_id": step.about.probe_id,
        "check": step.about.check,
        "what": step.change.what,
        "before": step.change.before,
        "after": step.change.after,
        "alert_id": step.change.alert_id,
        "severity": step.state.severity,
        "summary": step.summary,
        "at": step.at,
    }


async def keep_steps(tx: Transaction, steps: Sequence[Step]) -> None:
    """Tells of transitions in the flow of ``tx``, and keeps their alerts; where the checks stand is the caller's."""
    telling = Telling(tx)
    await telling.fetch_resolved(steps)
    for step in steps:
        telling.tell(tx, step)
    await telling.keep()


async def keep_moves(tx: Transaction, moves: Sequence[Move], policy: Policy) -> None:
    """Keeps where the checks stand after the moves of a batch, and tells of each transition in its result's flow."""
    steps = [(move, _step(move, change, policy, tx.now)) for move in moves for change in move.changes]
    telling = Telling(tx)
    await telling.fetch_resolved(step for _, step in steps)
    for move, step in steps:
        judged = move.judged
        flow = replace(tx, correlation_id=judged.correlation_id or tx.correlation_id, causation_id=judged.result.id)
        with telemetry.span("alerts judge", judged.traceparent) if judged.traceparent else nullcontext():
            telling.tell(flow, step)
    await telling.keep()
    await _keep_states(tx, {move.key: move for move in moves})


async def _keep_states(tx: Transaction, last: dict[Key, Move]) -> None:
    stand = {
        key: (about_probe(move.judged.probe, move.measure), move.state)
        for key, move in last.items()
        if move.state != OK
    }
    if stand:
        await store.upsert_states(tx.conn, stand)
    if gone := [key for key, move in last.items() if move.state == OK]:
        await store.delete_states(tx.conn, gone)


def _step(move: Move, change: Change, policy: Policy, now: datetime) -> Step:
    judged = move.judged
    summary = summary_of_change(move, change, policy, now)
    about = about_probe(judged.probe, move.measure)
    return Step(about, change, move.state, summary, judged.result.started_at)


def alert_of(step: Step, now: datetime) -> Alert:
    """The alert that a step raises."""
    return Alert(
        id=step.change.alert_id or "",
        **asdict(step.about),
        severity=step.state.severity or "critical",
        summary=step.summary,
        since=step.state.since or step.at,
        raised_at=now,
        persisted_past_window=step.change.persisted_past_window,
        flapping=step.change.after == "flapping",
    )


def record_raised(tx: Transaction, alert: Alert) -> str:
    """Publishes that the alert was raised."""
    fields = {name: getattr(alert, name) for name in AlertRaised.model_fields if name != "alert_id"}
    raised = AlertRaised(alert_id=alert.id, **fields)
    return tx.record(raised, subject=alert.subject, site_id=alert.site_id)


def record_resolved(tx: Transaction, alert: Alert) -> str:
    """Publishes that the alert was resolved."""
    resolved = AlertResolved(
        alert_id=alert.id,
        check=alert.check,
        asset_name=alert.asset_name,
        summary=alert.resolution or "",
        raised_at=alert.raised_at,
        resolved_at=alert.resolved_at or tx.now,
        system_id=alert.system_id,
    )
    return tx.record(resolved, subject=alert.subject, site_id=alert.site_id)
