"""Batches of results over a real database: each transition is a row and an event, and nothing is told twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.probes.alerts.handlers import forget_old_alerts
from services.probes.alerts.limits import Limits
from services.probes.kinds.domain import Observation
from services.probes.runs.handlers import start_probe, stop_probe
from shared.database import Pool
from shared.transactions import begin
from tests.integration.probes.alerts.stage import (
    VANTAGE,
    Seen,
    bring,
    forget_hearing,
    open_alerts,
    pass_time,
    published,
    series,
    transitions,
)
from tests.integration.probes.runs.replica import claim, due_times, finish, plant, probe_of

FAILED = Observation("failed", "timeout_connect", "no connection within 10 s")
MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 30])
async def test_it_does_not_matter_how_results_are_cut_into_batches(pool: Pool, at_once: int) -> None:
    """One delivery or many, alone or beside others: the same transitions, in the same order, each an event."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    told = [one for pair in zip(series("a", "ooofffoofff"), series("b", "offooffefoo"), strict=True) for one in pair]
    for start in range(0, len(told), at_once):
        await bring(pool, *told[start : start + at_once])
    assert await transitions(pool, "a") == [*("pending", "raised", "recovering", "resolved", "pending", "raised")]
    assert await transitions(pool, "b") == ["pending", "cleared", "pending", "raised", "recovering", "resolved"]
    assert sorted(await published(pool)) == ["alert.raised"] * 3 + ["alert.resolved"] * 2 + ["alert.transitioned"] * 7
    assert [subject for subject, _, _ in await open_alerts(pool)] == ["a"]


async def test_what_is_well_leaves_no_trace(pool: Pool) -> None:
    """No row says that a check stands at ok, however often it was judged."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "oooododeo"))
    assert await pool.fetchval("SELECT count(*) FROM alert_states") == 0
    assert await published(pool) == []


async def test_flapping_is_one_alert_from_its_start_to_its_end(pool: Pool) -> None:
    """Its many steps in between are nobody's mail."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fofof"))
    assert await open_alerts(pool) == [("a", "dicom-echo", "critical")]
    assert await pool.fetchval("SELECT flapping FROM alerts")
    await bring(pool, *series("a", "ofofof", begin=10))
    await bring(pool, *series("a", "o" * 21, begin=20))
    assert await open_alerts(pool) == []
    assert await transitions(pool, "a") == ["pending", "cleared"] * 2 + ["raised", "resolved"]


async def test_limits_of_a_check_are_alerts_of_their_own(pool: Pool) -> None:
    """With the severity of the limit, under the name of the measure, beside the check itself."""
    limits = {"dimse": Limits(warning=100, critical=500)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits, check_name="Archive answers"))
    await bring(pool, *[Seen("a", at, "o", {"dimse": 200}) for at in range(3)])
    assert await open_alerts(pool) == [("a", "Archive answers:dimse", "warning")]
    await bring(pool, *[Seen("a", at, "o", {"dimse": 900}) for at in range(3, 6)])
    assert await open_alerts(pool) == [("a", "Archive answers:dimse", "critical")]
    await bring(pool, *[Seen("a", at, "o", {"dimse": 9}) for at in range(6, 8)])
    assert await transitions(pool, "a", "dimse") == ["pending", "raised", "escalated", "recovering", "resolved"]


async def test_what_is_usual_is_learned_and_judged_by(pool: Pool) -> None:
    """After some hours of one second, two and a half are a warning; they are not learned while they last."""
    await plant(pool, probe_of("a", vantage=VANTAGE, limits={"dimse": Limits(baseline=True)}))
    await bring(pool, *[Seen("a", 20 * n, "o", {"dimse": 1000 + n % 2}) for n in range(20)])
    await bring(pool, *[Seen("a", 400 + n, "o", {"dimse": 2500}) for n in range(30)])
    assert await open_alerts(pool) == [("a", "dicom-echo:dimse", "warning")]
    kept = await pool.fetchval("SELECT values FROM baselines WHERE slot = -1")
    assert (len(kept), max(kept)) == (20, 1001)


async def test_a_measure_that_has_no_limits_any_more_leaves_nothing_open(pool: Pool) -> None:
    """The check itself, and measures that keep theirs, stand as they did."""
    limits = {"dimse": Limits(warning=100), "tcp": Limits(warning=100)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits))
    await bring(
        pool, *[Seen("a", at, "o", {"dimse": 200, "tcp": 200}) for at in range(3)], *series("a", "fff", begin=3)
    )
    assert len(await open_alerts(pool)) == 3
    async with begin(pool, "probes") as tx:
        await start_probe(tx, probe_of("a", vantage=VANTAGE, limits={"dimse": Limits(), "tcp": limits["tcp"]}))
    assert [check for _, check, _ in await open_alerts(pool)] == ["dicom-echo", "dicom-echo:tcp"]
    assert (await transitions(pool, "a", "dimse"))[-1] == "resolved"


async def test_a_measure_that_is_not_told_any_more_is_unknown_until_it_has_no_limits(pool: Pool) -> None:
    """Its alert stays open, for nobody knows; with the limits it ends, and with the check."""
    limits = {"dimse": Limits(warning=100)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits))
    await bring(pool, *[Seen("a", at, "o", {"dimse": 200}) for at in range(3)])
    await bring(pool, *series("a", "ooooo", begin=3))
    assert await transitions(pool, "a", "dimse") == ["pending", "raised", "unknown"]
    assert await open_alerts(pool) == [("a", "dicom-echo:dimse", "warning")]
    async with begin(pool, "probes") as tx:
        await start_probe(tx, probe_of("a", vantage=VANTAGE))
    assert await open_alerts(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM alert_states") == 0


async def test_with_a_probe_that_nobody_hears_its_measures_are_unknown(pool: Pool) -> None:
    """Those of which an alert is open; they go on when they are told again."""
    limits = {"dimse": Limits(warning=100), "tcp": Limits(warning=100)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits))
    await bring(pool, *[Seen("a", at, "o", {"dimse": 200, "tcp": 1}) for at in range(3)])
    await forget_hearing(pool, "a")
    await pass_time(pool)
    await pass_time(pool)
    assert await transitions(pool, "a", "dimse") == ["pending", "raised", "unknown"]
    assert await transitions(pool, "a", "tcp") == []
    await bring(pool, *[Seen("a", at, "o", {"dimse": 2, "tcp": 1}) for at in range(5, 7)])
    assert (await transitions(pool, "a", "dimse"))[3:] == ["heard", "recovering", "resolved"]


async def test_an_upper_that_another_check_reaches_hides_nothing(pool: Pool) -> None:
    """Nor does one of which only a check of another kind fails."""
    snmp = replace(probe_of("disks", vantage=VANTAGE), kind="snmp", subject="host")
    await plant(pool, snmp, replace(probe_of("other", vantage=VANTAGE), subject="host"))
    await plant(pool, probe_of("host", vantage=VANTAGE), probe_of("a", vantage=VANTAGE, depends_on=("host",)))
    await bring(pool, *series("disks", "fff"), *series("a", "fff", begin=3))
    assert ("a", "dicom-echo", "critical") in await open_alerts(pool)
    await bring(pool, *series("a", "oo", begin=6), *series("host", "fff", begin=6), *series("a", "f" * 6, begin=9))
    assert ("a", "dicom-echo", "critical") in await open_alerts(pool)
    await bring(pool, *series("a", "oo", begin=16), *series("other", "fff", begin=16), *series("a", "f" * 6, begin=20))
    assert "suppressed" in await transitions(pool, "a")
    assert [subject for subject, _, _ in await open_alerts(pool)] == ["host"] * 3


async def test_a_stopped_probe_leaves_nothing_open_and_nothing_behind(pool: Pool) -> None:
    """The alerts of its measures end too."""
    limits = {"dimse": Limits(warning=100, baseline=True)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits))
    await bring(pool, *[Seen("a", at, "o", {"dimse": 200}) for at in range(3)], *series("a", "fff", begin=3))
    assert len(await open_alerts(pool)) == 2
    async with begin(pool, "probes") as tx:
        await stop_probe(tx, "a", "it was replaced")
    assert await open_alerts(pool) == []
    for table in ("alert_states", "heard", "baselines"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert (await published(pool)).count("alert.resolved") == 2


async def test_what_persists_past_a_window_is_asked_and_raised_when_its_grace_ends(pool: Pool) -> None:
    """Not at its next regular time: an hourly check would fire an hour late."""
    hourly = probe_of("a", interval=60 * MINUTES)
    await plant(pool, hourly)
    await pool.execute(
        """INSERT INTO windows (id, revision, systems, starts_at, ends_at)
           VALUES ('w', 0, '{a}', now() - interval '1 hour', now() + interval '1 hour')"""
    )
    for _ in range(3):
        await finish(pool, await claim(pool), FAILED)
        await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
    await pool.execute("UPDATE probes SET next_due = now() + interval '1 hour'")
    assert await transitions(pool, "a") == ["pending", "held"]
    await pass_time(pool)
    assert await claim(pool) == []
    await pool.execute("UPDATE windows SET ended_at = now() - interval '11 minutes'")
    await pass_time(pool)
    await finish(pool, await claim(pool), FAILED)
    assert await pool.fetchval("SELECT persisted_past_window FROM alerts WHERE resolved_at IS NULL")


async def test_behind_a_host_that_is_down_nothing_is_raised_until_it_is_up_again(pool: Pool) -> None:
    """Then what lies behind it is asked at once and judged anew."""
    await plant(pool, probe_of("host", vantage=VANTAGE), probe_of("a", vantage=VANTAGE, depends_on=("host",)))
    await bring(pool, *series("host", "fff"), *series("a", "ffffff", begin=2))
    assert [subject for subject, _, _ in await open_alerts(pool)] == ["host"]
    await pass_time(pool)
    assert await transitions(pool, "a") == ["pending", "suppressed"]
    await bring(pool, *series("host", "oo", begin=10))
    await pass_time(pool)
    assert await transitions(pool, "a") == ["pending", "suppressed", "released"]
    await bring(pool, *series("a", "fff", begin=12))
    assert [subject for subject, _, _ in await open_alerts(pool)] == ["a"]


async def test_what_was_suppressed_is_asked_at_once_when_it_is_released(pool: Pool) -> None:
    """Its next run does not wait for its interval."""
    await plant(pool, probe_of("a", interval=60 * MINUTES, depends_on=("host",)))
    await plant(pool, probe_of("host", vantage=VANTAGE))
    await bring(pool, *series("host", "fff"))
    await finish(pool, await claim(pool), FAILED)
    before = (await due_times(pool))["a"]
    await bring(pool, *series("host", "oo", begin=10))
    await pass_time(pool)
    assert (await due_times(pool))["a"] < before
    assert [run.probe.id for run in await claim(pool)] == ["a"]


async def test_what_nobody_hears_becomes_unknown_once_it_was_watched_for_long_enough(pool: Pool) -> None:
    """Three intervals by the database's clock; its next result is heard, and judged as ever."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    await bring(pool, *series("a", "o"), *series("b", "o"))
    await forget_hearing(pool, "a")
    now = await pool.fetchval("SELECT now()")
    await pass_time(pool, watching_since=now)
    assert await transitions(pool, "a") == []
    await pass_time(pool)
    await pass_time(pool)
    assert await transitions(pool, "a") == ["unknown"]
    assert await transitions(pool, "b") == []
    assert await open_alerts(pool) == []
    await bring(pool, *series("a", "fff", begin=5))
    assert await transitions(pool, "a") == ["unknown", "heard", "pending", "raised"]


async def test_our_own_faults_alone_leave_a_target_unknown(pool: Pool) -> None:
    """A result that says nothing about the target is not heard from it."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    await bring(pool, *series("a", "o"), *series("b", "o"))
    await forget_hearing(pool, "a")
    await bring(pool, *series("a", "eee", begin=5))
    await pass_time(pool)
    assert await transitions(pool, "a") == ["unknown"]
    assert await open_alerts(pool) == []


async def test_a_dead_vantage_is_one_alert_and_none_on_its_targets(pool: Pool) -> None:
    """It is over as soon as one of its probes is heard again."""
    await plant(pool, *[probe_of(f"p{n}", vantage=VANTAGE) for n in range(20)])
    await bring(pool, *[Seen(f"p{n}", 0, "o") for n in range(20)])
    await forget_hearing(pool, *[f"p{n}" for n in range(20)])
    await pass_time(pool)
    await pass_time(pool)
    assert await open_alerts(pool) == [(f"vantage:{VANTAGE}", "vantage", "critical")]
    await bring(pool, Seen("p3", 5, "o"))
    await pass_time(pool)
    assert await open_alerts(pool) == []


async def test_a_vantage_that_reaches_nothing_is_one_alert_and_none_on_its_targets(pool: Pool) -> None:
    """When it reaches most again, what still does not answer raises its own."""
    await plant(pool, *[probe_of(f"p{n}", settings={"host": f"10.0.0.{n}"}) for n in range(8)])
    for at in range(4):
        await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
        runs = await claim(pool)
        await finish(pool, runs[at % 8 :], FAILED)
        await finish(pool, runs[: at % 8], FAILED)
    assert await open_alerts(pool) == [("vantage:first", "vantage", "critical")]
    await pass_time(pool)
    assert len(await open_alerts(pool)) == 1
    await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
    runs = await claim(pool)
    still = [run for run in runs if run.probe.id == "p0"]
    await finish(pool, [run for run in runs if run not in still])
    await finish(pool, still, FAILED)
    await pass_time(pool)
    assert await open_alerts(pool) == []
    for _ in range(3):
        await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
        runs = await claim(pool)
        await finish(pool, [run for run in runs if run.probe.id == "p0"], FAILED)
        await finish(pool, [run for run in runs if run.probe.id != "p0"])
    assert await open_alerts(pool) == [("p0", "dicom-echo", "critical")]


async def test_few_mute_targets_are_not_the_vantages_fault(pool: Pool) -> None:
    """Eight of ten: each is told by itself."""
    await plant(pool, *[probe_of(f"p{n}", settings={"host": f"10.0.0.{n}"}) for n in range(10)])
    for _ in range(3):
        await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
        runs = await claim(pool)
        await finish(pool, [run for run in runs if run.probe.id in ("p0", "p1")])
        await finish(pool, [run for run in runs if run.probe.id not in ("p0", "p1")], FAILED)
    assert [subject for subject, _, _ in await open_alerts(pool)] == [f"p{n}" for n in range(2, 10)]


async def test_two_replicas_that_find_the_vantage_cut_off_at_once_raise_one_alert(pool: Pool) -> None:
    """The second waits for the first and finds it raised."""
    await plant(pool, *[probe_of(f"p{n}", settings={"host": f"10.0.0.{n}"}) for n in range(12)])
    for _ in range(3):
        await pool.execute("UPDATE probes SET next_due = clock_timestamp()")
        runs = await claim(pool)
        await asyncio.gather(finish(pool, runs[:6], FAILED), finish(pool, runs[6:], FAILED))
    assert await open_alerts(pool) == [("vantage:first", "vantage", "critical")]


async def test_old_steps_and_alerts_are_forgotten_but_not_what_is_open(pool: Pool) -> None:
    """The audit log keeps their events."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    await bring(pool, *series("a", "fffoo"), *series("b", "fff"))
    await pool.execute("UPDATE alerts SET resolved_at = resolved_at - interval '2 days'")
    async with begin(pool, "probes") as tx:
        await forget_old_alerts(tx, timedelta(days=1))
    assert await pool.fetchval("SELECT array_agg(subject) FROM alerts") == ["b"]
    assert await pool.fetchval("SELECT count(*) FROM alert_transitions") == 0
    assert len(await open_alerts(pool)) == 1


async def test_two_replicas_that_watch_at_once_tell_each_thing_once(pool: Pool) -> None:
    """One of them watches, the other leaves it to that."""
    await plant(pool, *[probe_of(f"p{n}", vantage=VANTAGE) for n in range(5)])
    await bring(pool, *[Seen(f"p{n}", 0, "o") for n in range(5)])
    await forget_hearing(pool, *[f"p{n}" for n in range(5)])
    await asyncio.gather(*[pass_time(pool) for _ in range(4)])
    assert (await published(pool)).count("alert.transitioned") == 5
    assert (await published(pool)).count("alert.raised") == 1
