"""Commands on probes and their runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.probes.alerts.domain import Policy
from services.probes.alerts.handlers import close_alert, follow_limits, judge_results
from services.probes.alerts.judging import Judged
from services.probes.history.domain import Result
from services.probes.history.handlers import keep_results
from services.probes.kinds.cleaning import cleaned
from services.probes.kinds.domain import Observation
from services.probes.runs import store
from services.probes.runs.domain import (
    EPOCH,
    Brought,
    Cadence,
    Ended,
    Finished,
    Probe,
    Reception,
    Run,
    left_out,
    next_due,
    overtaken,
    receive,
    take_turn,
)
from services.probes.windows.domain import Window, open_windows
from services.probes.windows.handlers import load_windows
from shared import telemetry
from shared.database import Connection
from shared.events.probes import ProbeResult
from shared.transactions import Transaction, new_id


@dataclass(frozen=True)
class RunRules:
    """How runs are judged, and where they were made. An agent that ``is_behind`` has more results to bring."""

    policy: Policy
    vantage: str
    is_behind: bool = False


@dataclass(frozen=True)
class Caps:
    """What bounds a claim.

    ``free`` is how many runs more this replica can make; ``at_site`` how many of all replicas may be under way at one
    site; ``ahead`` how long before its due time a run may be claimed; ``spare`` how long beyond its timeout it is ours.
    """

    free: int
    at_site: int
    ahead: timedelta
    spare: timedelta


async def find_systems_under_load(conn: Connection) -> list[str]:
    """The systems at which a heavy run is under way."""
    return await store.select_systems_under_load(conn)


async def align_schedule(tx: Transaction, usual: Cadence) -> None:
    """Gives the probes that nodes get by themselves the cadence that is set; what is due too far ahead is due now."""
    await store.update_cadence(tx.conn, usual)
    await store.align_probes(tx.conn)


async def start_probe(tx: Transaction, probe: Probe) -> None:
    """Makes the probe run from now on; one that asks the same as before goes on at its times."""
    await store.upsert_probe(tx.conn, probe)
    await follow_limits(tx, probe)


async def stop_probe(tx: Transaction, probe_id: str, why: str) -> None:
    """Ends a probe and what alert it has; a result that is still on its way is dropped."""
    probe = await store.delete_probe(tx.conn, probe_id)
    if probe is not None:
        await close_alert(tx, probe, why)


async def wait_for_turn(tx: Transaction) -> datetime:
    """The time by the database's clock once no other replica is claiming; none does until the transaction ends."""
    await store.end_if_silent(tx.conn)
    return await store.wait_for_turn(tx.conn)


async def claim_runs(tx: Transaction, now: datetime, rules: RunRules, caps: Caps) -> list[Run]:
    """Takes runs that are due at the turn's time ``now`` or soon after; each is to be started at its due time.

    Due times long past are told as skipped, in one result.
    """
    dues = await store.select_free(tx.conn, now, now + caps.ahead, caps.at_site, caps.free)
    if not dues:
        return []
    lease = new_id()
    runs: list[Run] = []
    skipped: list[Finished] = []
    for due in dues:
        turn = take_turn(due.probe, due.due_at, now)
        runs.append(Run(due.probe, turn.due_at, now, lease))
        if turn.left_out:
            skipped.append(Finished(Run(due.probe, due.due_at, now, lease), left_out(turn.left_out)))
    if skipped:
        await _keep_results(tx, skipped, rules)
    await store.lease(tx.conn, runs, now, caps.spare)
    return runs


async def find_seconds_until_due(tx: Transaction) -> float | None:
    """Seconds until the next run can be claimed, negative for one that is held back by a cap; None without probes."""
    return await store.select_seconds_until_due(tx.conn)


async def finish_runs(tx: Transaction, finished: Sequence[Finished], rules: RunRules) -> list[Ended]:
    """Stores, publishes and judges results, each in a flow of its own, and sets when their probes are due next.

    A result whose lease has passed to another replica, or whose probe was stopped or changed, is dropped.
    """
    await store.end_if_silent(tx.conn)
    leases = await store.select_leases(tx.conn, [f.run.probe.id for f in finished])
    ours = [f for f in finished if leases.get(f.run.probe.id) == f.run.lease]
    ended = await _keep_results(tx, ours, rules)
    await store.end_leases(tx.conn, ended)
    return ended


async def release_runs(tx: Transaction, leases: Collection[str]) -> None:
    """Leaves runs that were claimed and not finished to whoever claims them next."""
    await store.release_leases(tx.conn, leases)


async def probes_of_vantage(conn: Connection, vantage: str) -> list[Probe]:
    """What is left to the agent of that name, by id."""
    return await store.select_vantage(conn, vantage)


async def take_results(tx: Transaction, brought: Sequence[Brought], rules: RunRules) -> list[Reception]:
    """Takes what the agent at ``rules.vantage`` saw, in the order of its runs, and says what became of each.

    A result that is not later than the last one of its probe is a repeat and changes nothing. One that is late, and not
    the last word on its probe, raises nothing by itself.
    """
    probe_ids = {one.probe_id for one in brought}
    known = {found.probe.id: found for found in await store.select_known(tx.conn, rules.vantage, probe_ids)}
    last = {probe_id: found.last_due or EPOCH for probe_id, found in known.items()}
    receptions = receive(brought, last, tx.now)
    taken = [
        Finished(Run(known[one.probe_id].probe, one.due_at, one.started_at), one.observation, is_overtaken)
        for one, reception, is_overtaken in zip(brought, receptions, overtaken(brought, rules.is_behind), strict=True)
        if reception == "taken"
    ]
    ended = {one.probe.id: one for one in await _keep_results(tx, taken, rules)}
    await store.end_leases(tx.conn, list(ended.values()))
    soon = {(one.probe.id, one.due_at) for one in ended.values() if one.is_undecided}
    return [
        "wanted soon" if reception == "taken" and (one.probe_id, one.due_at) in soon else reception
        for one, reception in zip(brought, receptions, strict=True)
    ]


async def ask_soon(tx: Transaction, probe_ids: Collection[str]) -> None:
    """Makes these probes due now that are made by replicas of this service; what is under way goes on."""
    await store.ask_soon(tx.conn, probe_ids)


async def _keep_results(tx: Transaction, finished: Sequence[Finished], rules: RunRules) -> list[Ended]:
    since = min((one.run.started_at for one in finished), default=tx.now)
    windows = await load_windows(tx, rules.policy.grace, since)
    batch: list[Judged] = []
    for one in finished:
        probe = one.run.probe
        with telemetry.span(f"probes {probe.kind}", attributes={"subject": probe.subject}):
            flow = replace(tx, correlation_id=new_id(), causation_id=None)
            result = _record(flow, one.run, one.observation, rules.vantage, windows)
            is_past = one.is_overtaken and rules.policy.is_late(tx.now - result.started_at, probe.timeout)
            batch.append(Judged(probe, result, flow.correlation_id, telemetry.traceparent(), is_past))
    undecided = await judge_results(tx, batch, rules.policy, windows)
    await keep_results(tx, [judged.result for judged in batch])
    return [_ended(judged, is_undecided) for judged, is_undecided in zip(batch, undecided, strict=True)]


def _ended(judged: Judged, is_undecided: bool) -> Ended:
    probe, result = judged.probe, judged.result
    return Ended(probe, result.due_at, result.id, next_due(probe, result.due_at, is_undecided), is_undecided)


def _record(tx: Transaction, run: Run, observation: Observation, vantage: str, windows: Sequence[Window]) -> Result:
    probe = run.probe
    open_now = open_windows(windows, {probe.subject, probe.system_id}, run.started_at)
    seen = cleaned(observation)
    event = ProbeResult(
        probe_id=probe.id,
        kind=probe.kind,
        due_at=run.due_at,
        started_at=run.started_at,
        outcome=seen.outcome,
        failure=seen.failure,
        detail=seen.detail,
        phases=dict(seen.phases),
        lag_ms=round(run.lag.total_seconds() * 1000, 3),
        vantage=vantage,
        window_id=open_now[0].id if open_now else None,
        rejection=seen.rejection,
        status=seen.status,
        measures=dict(seen.measures),
        facts=dict(seen.facts),
    )
    event_id = tx.record(event, subject=probe.subject, site_id=probe.site_id)
    return Result(id=event_id, subject=probe.subject, site_id=probe.site_id, **event.model_dump())
