"""What results do to alerts, and who has taken one over."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.probes.alerts import store
from services.probes.alerts.domain import OK, AlertState, Change, Policy
from services.probes.alerts.judging import (
    SIGNS,
    Judged,
    Knowledge,
    Move,
    Verdict,
    about_probe,
    assets_above,
    judge_batch,
    judged_by_usual,
)
from services.probes.alerts.measures import judged_measures
from services.probes.alerts.records import Alert
from services.probes.alerts.telling import Step, keep_moves, keep_steps
from services.probes.alerts.upstream import vantage_id, vantage_name
from services.probes.alerts.vantages import raise_if_cut_off
from services.probes.baselines.domain import Key
from services.probes.baselines.handlers import find_baselines, find_zones, forget_probe, keep_learned
from services.probes.kinds import NATURES, nature_of
from services.probes.runs.domain import Probe
from services.probes.windows.domain import Window
from shared.errors import Conflict
from shared.events.alerts import Transition as What
from shared.transactions import Transaction, new_id


async def judge_results(
    tx: Transaction, batch: Sequence[Judged], policy: Policy, windows: Sequence[Window]
) -> list[bool]:
    """Moves the alerts of a batch's probes and publishes what is to be told; true where an alert is undecided.

    The caller holds the locks of the probes. A batch in which nothing fails and nothing has failed costs one SELECT
    and the note that its probes were heard.
    """
    if not batch:
        return []
    known = await _load(tx, batch, policy, windows)
    verdict = await _judge(tx, batch, known)
    if verdict.moves:
        await keep_moves(tx, verdict.moves, policy)
    if verdict.learned:
        await keep_learned(tx, verdict.learned)
    if heard := {one.probe.id: one.result.vantage for one in batch if one.result.outcome in SIGNS}:
        await store.upsert_heard(tx.conn, heard)
    states = dict(known.states) | {move.key: move.state for move in verdict.moves}
    undecided = {probe_id for (probe_id, _), state in states.items() if state.is_undecided(policy)}
    return [one.probe.id in undecided for one in batch]


async def close_alert(tx: Transaction, probe: Probe, why: str) -> None:
    """Forgets where a probe stood and resolves what alerts it has, because it is made no longer."""
    states = await store.select_states(tx.conn, [probe.id])
    await _resolve_all(tx, probe, states, f"It is no longer probed: {why}.")
    await store.delete_probe(tx.conn, probe.id)
    await forget_probe(tx, probe.id)


async def follow_limits(tx: Transaction, probe: Probe) -> None:
    """Resolves the alerts of measures that have no limits any more, and forgets where they stood."""
    judged = judged_measures(probe.limits, nature_of(probe.kind).measures)
    states = await store.select_states(tx.conn, [probe.id])
    gone = {key: state for key, state in states.items() if key[1] and key[1] not in judged}
    if gone:
        await _resolve_all(tx, probe, gone, "It has no limits any more.")
        await store.delete_states(tx.conn, gone)


async def acknowledge_alert(tx: Transaction, alert_id: str, comment: str, until: datetime | None) -> Alert:
    """Notes who has taken the alert over, until it is resolved or that end. Raises Conflict when it is resolved."""
    alert = await store.acknowledge(tx.conn, alert_id, tx.actor, comment, until, tx.now)
    if alert is None:
        raise Conflict(f"alert {alert_id} is resolved: there is nothing left to acknowledge")
    await tell_acknowledgement(tx, alert, "acknowledged", comment)
    return alert


async def tell_acknowledgement(tx: Transaction, alert: Alert, what: What, summary: str) -> None:
    """Publishes and keeps that an alert was acknowledged, or that this has ended."""
    states = await store.select_states(tx.conn, [alert.probe_id])
    state = states.get((alert.probe_id, alert.measure), AlertState("firing", severity=alert.severity))
    change = Change(what, state.phase, state.phase, alert.id)
    await keep_steps(tx, [Step(alert.about, change, state, summary, tx.now, alert.acknowledged_by)])


async def forget_old_alerts(tx: Transaction, history: timedelta) -> None:
    """Deletes transitions and resolved alerts that are older than ``history``."""
    await store.delete_before(tx.conn, tx.now - history)


async def _resolve_all(tx: Transaction, probe: Probe, states: Mapping[Key, AlertState], why: str) -> None:
    ends = [
        Step(about_probe(probe, measure), Change("resolved", state.phase, "ok", state.alert_id), OK, why, tx.now)
        for (_, measure), state in states.items()
        if state.is_open
    ]
    await keep_steps(tx, ends)


async def _load(tx: Transaction, batch: Sequence[Judged], policy: Policy, windows: Sequence[Window]) -> Knowledge:
    vantages = {vantage_id(one.result.vantage): one.result.vantage for one in batch}
    states = await store.select_states(tx.conn, [*(one.probe.id for one in batch), *vantages])
    above = assets_above(batch, policy)
    usual = judged_by_usual(batch, NATURES)
    zones = await find_zones(tx.conn, {one.probe.site_id for one in batch}) if usual else {}
    names = await store.select_names(tx.conn, above) if above else {}
    readings = [(key, one.result.started_at, zones.get(one.probe.site_id)) for key, one in usual]
    return Knowledge(
        policy=policy,
        windows=windows,
        kinds=NATURES,
        states=states,
        uppers=await store.select_reaching(tx.conn, above) if above else {},
        baselines=await find_baselines(tx.conn, readings) if readings else {},
        zones=zones,
        names=names | {key: vantage_name(name) for key, name in vantages.items()},
        cut_off=frozenset(name for key, name in vantages.items() if (key, "") in states),
    )


async def _judge(tx: Transaction, batch: Sequence[Judged], known: Knowledge) -> Verdict:
    """Judges the batch, and again where it turns out that it is not the targets that are out of reach, but we are."""
    verdict = judge_batch(batch, known, new_id)
    suspects: dict[str, list[Move]] = {}
    for move in verdict.moves:
        if move.is_raised_unanswered:
            suspects.setdefault(move.judged.result.vantage, []).append(move)
    cut_off = [name for name, moves in suspects.items() if await raise_if_cut_off(tx, name, moves, batch)]
    if not cut_off:
        return verdict
    return judge_batch(batch, replace(known, cut_off=known.cut_off | set(cut_off)), new_id)
