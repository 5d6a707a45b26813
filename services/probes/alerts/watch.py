"""What time alone does to alerts: probes that nobody hears, reasons to keep an alert back that are over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.probes.alerts import store
from services.probes.alerts.domain import OK, UNKNOWN_AFTER, AlertState, Judgement, Policy, lose, release
from services.probes.alerts.handlers import tell_acknowledgement
from services.probes.alerts.records import Watched
from services.probes.alerts.telling import Step, keep_steps
from services.probes.alerts.upstream import Reaching, Upper, hold_by, uppers_of, vantage_id
from services.probes.alerts.vantages import SILENT, raise_vantage, resolve_vantages
from services.probes.baselines.domain import Key
from services.probes.runs.handlers import ask_soon
from services.probes.windows.domain import Window, is_held_back
from services.probes.windows.handlers import load_windows
from shared.transactions import Transaction

AT_ONCE = 1000
"""The most that one turn does: what is left is the next one's."""


async def find_lost(tx: Transaction, watching_since: datetime) -> None:
    """Probes that were not heard for three intervals become unknown, and with them the alerts of their measures.

    A vantage none of whose probes is heard fails.

    All times are the database's. Nothing is lost before it was watched for as long.
    """
    await store.insert_unheard(tx.conn)
    lost = await store.lock_lost(tx.conn, watching_since, UNKNOWN_AFTER, AT_ONCE)
    if not lost:
        return
    states = await store.select_states(tx.conn, [watched.about.probe_id for watched in lost])
    summary = f"No result for {UNKNOWN_AFTER} intervals."
    all_lost = {one: lose(states.get(one.key, OK)) for one in lost}
    all_lost |= {one: lose(states[one.key]) for one in _open_measures(lost, states)}
    await _keep(tx, all_lost, summary)
    for vantage in sorted({one.vantage for one in lost if one.vantage is not None}):
        if await store.is_silent(tx.conn, vantage):
            told = "None of its probes has brought a result for three intervals. It is down, or can't reach us."
            await raise_vantage(tx, vantage, SILENT, tx.now, told)


def _open_measures(lost: Sequence[Watched], states: Mapping[Key, AlertState]) -> Iterator[Watched]:
    probes = {one.about.probe_id: one for one in lost}
    for (probe_id, measure), state in states.items():
        if measure and state.is_open and state.phase != "unknown":
            of = probes[probe_id]
            about = replace(of.about, measure=measure, check=f"{of.about.check}:{measure}")
            yield replace(of, about=about)


async def release_kept_back(tx: Transaction, policy: Policy) -> None:
    """Asks the targets anew whose alerts nothing keeps back any more; what still fails is raised by that."""
    kept_back = await store.select_kept_back(tx.conn)
    if not kept_back:
        return
    free = (await _free(tx, kept_back, policy))[:AT_ONCE]
    locked = await store.lock_probes(tx.conn, [one.about.probe_id for one in free])
    states = await store.select_states(tx.conn, locked)
    released = {
        one: release(states[one.key])
        for one in free
        if one.key in states and is_kept_back(states[one.key]) and one.about.probe_id in locked
    }
    if released:
        await _keep(tx, released, "What kept it back is over; it is asked anew.")
        await ask_soon(tx, sorted({one.about.probe_id for one in released}))


async def end_acknowledgements(tx: Transaction) -> None:
    """Takes back the acknowledgements whose end has come."""
    for alert in await store.end_acknowledgements(tx.conn, tx.now):
        await tell_acknowledgement(tx, alert, "unacknowledged", "The acknowledgement has come to its end.")


async def watch(tx: Transaction, policy: Policy, watching_since: datetime) -> None:
    """All of the above, in one replica at a time."""
    if not await store.try_lock_watch(tx.conn):
        return
    await find_lost(tx, watching_since)
    await resolve_vantages(tx)
    await release_kept_back(tx, policy)
    await end_acknowledgements(tx)


def is_kept_back(state: AlertState) -> bool:
    """Whether something kept an alert from being raised, and nobody has noticed yet that it is over."""
    return state.phase == "pending" and not state.is_asked and (state.is_held or state.suppressed_by is not None)


async def _free(tx: Transaction, kept_back: Sequence[Watched], policy: Policy) -> list[Watched]:
    windows = await load_windows(tx, policy.grace)
    above = {one: _above(one, policy) for one in kept_back}
    uppers = await store.select_reaching(tx.conn, frozenset[str]().union(*above.values()))
    cut_off = {one.suppressed_by for one in kept_back} & {
        vantage_id(name) for name, _, _ in await store.select_vantages(tx.conn)
    }
    return [
        one
        for one in kept_back
        if one.suppressed_by not in cut_off and _is_free(one, above[one], uppers, windows, tx, policy)
    ]


def _above(one: Watched, policy: Policy) -> frozenset[str]:
    return uppers_of(one.about.subject, one.depends_on, policy.own_network if one.vantage is None else ())


def _is_free(
    one: Watched,
    above: frozenset[str],
    uppers: Mapping[str, Mapping[str, Reaching]],
    windows: Sequence[Window],
    tx: Transaction,
    policy: Policy,
) -> bool:
    if is_held_back(windows, {one.about.subject, one.about.system_id}, tx.now, policy.grace):
        return False
    known = (Upper(asset, tuple(uppers.get(asset, {}).values())) for asset in above)
    return hold_by(known).suppressed_by is None


async def _keep(tx: Transaction, judged: Mapping[Watched, Judgement], summary: str) -> None:
    await store.upsert_states(tx.conn, {one.key: (one.about, state) for one, (state, _) in judged.items()})
    steps = [
        Step(one.about, change, state, summary, tx.now)
        for one, (state, changes) in judged.items()
        for change in changes
    ]
    await keep_steps(tx, steps)
