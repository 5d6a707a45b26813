"""Commands on probes and their runs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.probes.alerts.domain import Policy, Window, open_windows
from services.probes.alerts.handlers import close_alert, judge_result, load_windows
from services.probes.history.domain import Result
from services.probes.history.handlers import keep_results
from services.probes.kinds.domain import Observation
from services.probes.runs import store
from services.probes.runs.domain import (
    LONGEST_DETAIL,
    Cadence,
    Ended,
    Finished,
    Probe,
    Run,
    left_out,
    next_due,
    take_turn,
)
from shared import telemetry
from shared.events.probes import ProbeResult
from shared.transactions import Transaction, new_id


@dataclass(frozen=True)
class RunRules:
    """How this replica makes runs: how they are judged, from where."""

    policy: Policy
    vantage: str


async def keep_cadence(tx: Transaction, usual: Cadence) -> None:
    """Gives the probes that nodes get by themselves the cadence that is set now."""
    await store.update_cadence(tx.conn, usual)


async def start_probe(tx: Transaction, probe: Probe) -> None:
    """Makes the probe run from now on; one that runs already goes on at its times, with its new settings."""
    await store.upsert_probe(tx.conn, probe)


async def stop_probe(tx: Transaction, probe_id: str, why: str) -> None:
    """Ends a probe and what alert it has; a result that is still on its way is dropped."""
    probe = await store.delete_probe(tx.conn, probe_id)
    if probe is not None:
        await close_alert(tx, probe, why)


async def claim_runs(tx: Transaction, rules: RunRules, limit: int, spare_seconds: float) -> list[Run]:
    """Takes up to ``limit`` due runs, each for its timeout and ``spare_seconds``.

    Due times long past are told as skipped, in one result.
    """
    dues = await store.select_due(tx.conn, limit)
    if not dues:
        return []
    lease = new_id()
    runs: list[Run] = []
    skipped: list[Finished] = []
    for due in dues:
        turn = take_turn(due.probe, due.due_at, due.seen_at)
        runs.append(Run(due.probe, turn.due_at, due.seen_at, lease))
        if turn.left_out:
            skipped.append(Finished(Run(due.probe, due.due_at, due.seen_at, lease), left_out(turn.left_out)))
    if skipped:
        await _keep_results(tx, skipped, rules)
    await store.lease(tx.conn, {run.probe.id: run.due_at for run in runs}, lease, spare_seconds)
    return runs


async def finish_runs(tx: Transaction, finished: Sequence[Finished], rules: RunRules) -> None:
    """Stores, publishes and judges results, each in a flow of its own, and sets when their probes are due next.

    A result whose lease has passed to another replica, or whose probe was stopped, is dropped.
    """
    leases = await store.select_leases(tx.conn, [f.run.probe.id for f in finished])
    ours = [f for f in finished if leases.get(f.run.probe.id) == f.run.lease]
    await store.end_leases(tx.conn, await _keep_results(tx, ours, rules))


async def _keep_results(tx: Transaction, finished: Sequence[Finished], rules: RunRules) -> list[Ended]:
    windows = await load_windows(tx, rules.policy)
    results: list[Result] = []
    ended: list[Ended] = []
    for one in finished:
        probe = one.run.probe
        with telemetry.span(f"probes {probe.kind}", attributes={"subject": probe.subject}):
            flow = replace(tx, correlation_id=new_id(), causation_id=None)
            result = _record(flow, one.run, one.observation, rules.vantage, windows)
            caused = replace(flow, causation_id=result.id)
            is_undecided = await judge_result(caused, probe, result, windows, rules.policy)
        results.append(result)
        due_at = next_due(probe, one.run.due_at, is_undecided)
        ended.append(Ended(probe.id, result.id, due_at))
    await keep_results(tx, results)
    return ended


def _record(tx: Transaction, run: Run, observation: Observation, vantage: str, windows: Sequence[Window]) -> Result:
    probe = run.probe
    open_now = open_windows(windows, {probe.subject, probe.system_id}, run.started_at)
    event = ProbeResult(
        probe_id=probe.id,
        kind=probe.kind,
        due_at=run.due_at,
        started_at=run.started_at,
        outcome=observation.outcome,
        failure=observation.failure,
        detail=observation.detail[:LONGEST_DETAIL],
        phases=dict(observation.phases),
        lag_ms=round((run.started_at - run.due_at).total_seconds() * 1000, 3),
        vantage=vantage,
        window_id=open_now[0].id if open_now else None,
        rejection=observation.rejection,
        status=observation.status,
        measures=dict(observation.measures),
        facts=dict(observation.facts),
    )
    event_id = tx.record(event, subject=probe.subject, site_id=probe.site_id)
    return Result(id=event_id, subject=probe.subject, site_id=probe.site_id, **event.model_dump())
