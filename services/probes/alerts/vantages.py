"""Vantages that reach nothing or are silent: one alert on the vantage, none on what it can't reach."""

from collections.abc import Sequence
from datetime import datetime

from services.probes.alerts import store
from services.probes.alerts.domain import OK, AlertState, Change
from services.probes.alerts.judging import Judged, Move
from services.probes.alerts.records import About
from services.probes.alerts.telling import Step, keep_steps
from services.probes.alerts.upstream import VANTAGE_CHECK, Reach, is_unanswered, vantage_id, vantage_name
from services.probes.kinds import nature_of
from shared.events import GROUP
from shared.transactions import Transaction, new_id

CUT_OFF, SILENT = "cut_off", "silent"


async def raise_if_cut_off(tx: Transaction, vantage: str, moves: Sequence[Move], batch: Sequence[Judged]) -> bool:
    """Whether it is the vantage that reaches nothing, since ``moves`` began to fail; if so, there is an alert of it."""
    since = max(move.state.since or tx.now for move in moves)
    mine = [one for one in batch if one.result.vantage == vantage]
    reach = await store.select_reach(tx.conn, vantage, since, [one.probe.id for one in mine])
    reach += reach_of(mine)
    if reach.is_cut_off:
        told = f"It reaches none of its targets: {reach.mute} of {reach.asked} don't answer. Its network is at fault."
        await raise_vantage(tx, vantage, CUT_OFF, since, told)
    return reach.is_cut_off


def reach_of(batch: Sequence[Judged]) -> Reach:
    """How many addresses a batch asked, and how many of them don't answer."""
    answers: dict[str, bool] = {}
    for one in batch:
        address = str(one.probe.settings.get("host", one.probe.subject))
        nature = nature_of(one.probe.kind)
        is_mute = one.result.outcome == "failed" and is_unanswered(one.result.failure, nature.is_connectionless)
        answers[address] = answers.get(address, False) or not is_mute
    return Reach(len(answers), sum(not answers_at for answers_at in answers.values()))


async def raise_vantage(tx: Transaction, vantage: str, failure: str, since: datetime, summary: str) -> None:
    """Raises the alert of a vantage, unless one is open."""
    await store.lock_vantage(tx.conn, vantage)
    key = (vantage_id(vantage), "")
    if key in await store.select_states(tx.conn, [key[0]]):
        return
    sites = await store.select_sites_of_vantage(tx.conn, vantage)
    about = about_vantage(vantage, sites[0] if len(sites) == 1 else GROUP)
    state = AlertState("firing", since=since, alert_id=new_id(), severity="critical", failure=failure)
    await store.upsert_states(tx.conn, {key: (about, state)})
    change = Change("raised", "ok", "firing", state.alert_id)
    await keep_steps(tx, [Step(about, change, state, summary, tx.now)])


async def resolve_vantages(tx: Transaction) -> None:
    """Resolves the alerts of vantages that reach their targets, or are heard, again."""
    for vantage, site_id, state in await store.select_vantages(tx.conn):
        if await _still_fails(tx, vantage, state):
            continue
        about = about_vantage(vantage, site_id)
        change = Change("resolved", state.phase, "ok", state.alert_id)
        await store.delete_states(tx.conn, [(about.probe_id, "")])
        told = "Its probes are heard again." if state.failure == SILENT else "It reaches its targets again."
        await keep_steps(tx, [Step(about, change, OK, told, tx.now)])


async def _still_fails(tx: Transaction, vantage: str, state: AlertState) -> bool:
    if state.failure == SILENT:
        return await store.is_silent(tx.conn, vantage)
    reach = await store.select_reach(tx.conn, vantage, None, [])
    return reach.is_cut_off


def about_vantage(vantage: str, site_id: str) -> About:
    """A vantage as alerts tell of it."""
    name = vantage_id(vantage)
    return About(name, "", VANTAGE_CHECK, name, vantage_name(vantage), site_id, None)
