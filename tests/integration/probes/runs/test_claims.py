"""Claims: who makes which run when, and what holds it back."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from asyncpg import InterfaceError

from services.probes.kinds.domain import Observation
from services.probes.runs import store
from services.probes.runs.domain import Cadence, Probe, Run, slot_after
from services.probes.runs.handlers import align_schedule, release_runs, start_probe, stop_probe, wait_for_turn
from shared.database import Pool
from shared.transactions import begin
from tests.integration.probes.runs.replica import CAPS, MINUTE, SECOND, claim, due_times, finish, plant, probe_of

KINDS = {"dicom-echo": False, "dicom-find": False, "http": False, "dicom-retrieve": True, "dicomweb": True}


def fleet(random: Random, size: int) -> list[Probe]:
    """Probes of all kinds at a few targets of a few systems of three sites."""

    def one(number: int) -> Probe:
        kind = random.choice(list(KINDS))
        target = random.randrange(size // 5)
        system = target % (size // 10)
        return probe_of(
            f"{kind}:{number}",
            kind=kind,
            subject=f"target {target}",
            system_id=f"system {system}",
            site_id=f"site-{system % 3}",
            is_heavy=KINDS[kind],
            interval=timedelta(days=1),
        )

    return [one(number) for number in range(size)]


def assert_within_caps(under_way: list[Run], at_site: int) -> None:
    """One of a class at a target, one heavy one at a system, so many at a site."""
    probes = [run.probe for run in under_way]
    classes = Counter((probe.subject, probe.kind.split("-")[0], probe.is_heavy) for probe in probes)
    assert max(classes.values()) == 1
    assert max(Counter(probe.system_id for probe in probes if probe.is_heavy).values(), default=0) <= 1
    assert max(Counter(probe.site_id for probe in probes).values()) <= at_site


@pytest.mark.parametrize("seed", range(4))
async def test_replicas_keep_the_caps_together_and_every_run_is_made_once(pool: Pool, seed: int) -> None:
    """Four that claim and finish at the same time never pass a cap, double nothing and lose nothing."""
    random = Random(seed)
    probes = fleet(random, 120)
    await plant(pool, *probes)
    caps = replace(CAPS, free=9, at_site=7)
    under_way: list[Run] = []
    made: list[str] = []
    while len(made) < len(probes):
        for runs in await asyncio.gather(*(claim(pool, caps) for _ in range(4))):
            under_way += runs
        assert_within_caps(under_way, caps.at_site)
        random.shuffle(under_way)
        ended, under_way = under_way[: len(under_way) // 2 + 1], under_way[len(under_way) // 2 + 1 :]
        made += [one.probe.id for one in await finish(pool, ended)]
    assert sorted(made) == sorted(probe.id for probe in probes)


async def test_heavy_probe_waits_for_the_other_of_its_system(pool: Pool) -> None:
    """It is not lost: once the other has ended it is made, and its lag is told."""
    first = probe_of("a", kind="dicom-retrieve", is_heavy=True, system_id="archive")
    second = probe_of("b", kind="dicomweb", is_heavy=True, system_id="archive")
    await plant(pool, first, due_in=-2 * SECOND)
    await plant(pool, second)
    [run] = await claim(pool)
    assert run.probe.id == "a"
    assert await claim(pool) == []
    due_at = (await due_times(pool))["b"]
    await finish(pool, [run])
    [waited] = await claim(pool)
    assert (waited.probe.id, waited.due_at) == ("b", due_at)
    assert waited.lag >= SECOND


async def test_heavy_probe_spares_the_times_of_an_agents_heavy_probe(pool: Pool) -> None:
    """An agent asks nobody, but its times are known: before, while and after its link is down."""
    hour = timedelta(hours=1)
    heavy = {"kind": "dicom-retrieve", "is_heavy": True, "system_id": "archive", "interval": hour, "timeout": MINUTE}
    await plant(pool, probe_of("far", vantage="north-dmz", **heavy), due_in=5 * MINUTE)
    await plant(pool, probe_of("ours", **heavy), probe_of("elsewhere", **heavy | {"system_id": "other"}))

    async def claimed_in(later: timedelta) -> set[str]:
        async with begin(pool, "probes") as tx:
            now = await wait_for_turn(tx) + later
            return {due.probe.id for due in await store.select_free(tx.conn, now, now + SECOND, 10, 10)}

    assert await claimed_in(timedelta(0)) == {"ours", "elsewhere"}
    for days in (0, 3):
        slot = 5 * MINUTE + timedelta(days=days)
        assert await claimed_in(slot - MINUTE / 2) == {"elsewhere"}
        assert await claimed_in(slot + MINUTE / 2) == {"elsewhere"}
        assert await claimed_in(slot + 2 * MINUTE) == {"ours", "elsewhere"}


async def test_heavy_probe_gets_its_turn_beside_an_agents_that_leaves_little_time(pool: Pool) -> None:
    """It spares no more than the agent's own runs then: nothing may wait for ever."""
    busy = {"kind": "dicom-retrieve", "is_heavy": True, "system_id": "archive", "timeout": 40 * SECOND}
    await plant(pool, probe_of("far", vantage="north-dmz", **busy), due_in=-45 * SECOND)
    await plant(pool, probe_of("ours", **busy))
    assert [run.probe.id for run in await claim(pool)] == ["ours"]


async def test_light_probe_does_not_wait_for_a_heavy_one(pool: Pool) -> None:
    """A retrieval that takes a minute must not hide that the node has gone."""
    heavy = probe_of("heavy", kind="dicom-retrieve", is_heavy=True, subject="node")
    await plant(pool, heavy, probe_of("light", subject="node"))
    assert {run.probe.id for run in await claim(pool)} == {"heavy", "light"}


async def test_full_site_holds_up_no_other(pool: Pool) -> None:
    """However much a site has waiting, the others' runs are claimed."""
    await plant(pool, *(probe_of(f"stuck {number}") for number in range(50)), due_in=-30 * SECOND)
    await plant(pool, probe_of("south", site_id="south"))
    caps = replace(CAPS, free=5, at_site=3)
    claimed = await claim(pool, caps) + await claim(pool, caps)
    assert Counter(run.probe.site_id for run in claimed) == {"north": 3, "south": 1}


async def test_capped_run_that_waits_for_an_interval_is_told_as_left_out(pool: Pool) -> None:
    """Nothing is queued: after an interval only the last regular time is made, and one result tells of the others."""
    probe = probe_of("late")
    await plant(pool, probe, due_in=-2.5 * MINUTE)
    [run] = await claim(pool)
    assert run.lag < MINUTE
    told = await pool.fetch("SELECT outcome, failure, detail FROM results")
    assert [(row["outcome"], row["failure"]) for row in told] == [("skipped", "overrun")]


async def test_probe_of_a_vantage_is_left_to_its_agent(pool: Pool) -> None:
    """No replica claims it, however long it is due."""
    await plant(pool, probe_of("far", vantage="north-dmz"), probe_of("near"), due_in=-10 * MINUTE)
    assert [run.probe.id for run in await claim(pool)] == ["near"]


async def test_run_is_claimed_a_moment_before_it_is_due(pool: Pool) -> None:
    """So that it can start on time; what is due later is left."""
    await plant(pool, probe_of("soon"), due_in=SECOND / 2)
    await plant(pool, probe_of("later"), due_in=3 * SECOND)
    [run] = await claim(pool)
    assert run.probe.id == "soon"
    assert run.due_at == (await due_times(pool))["soon"] > run.started_at


async def test_lease_that_has_ended_passes_on(pool: Pool) -> None:
    """What a replica that died had claimed is made by another at the same due time, and stored once."""
    await plant(pool, probe_of("a"))
    [dead] = await claim(pool)
    assert await claim(pool, later=10 * SECOND) == []
    [alive] = await claim(pool, later=20 * SECOND)
    assert alive.due_at == dead.due_at
    assert await finish(pool, [dead]) == []
    assert len(await finish(pool, [alive])) == 1


async def test_replica_that_stops_leaves_its_runs_to_others_at_once(pool: Pool) -> None:
    """Nobody waits for the end of a lease that was given up."""
    await plant(pool, probe_of("a"))
    [given_up] = await claim(pool)
    async with begin(pool, "probes") as tx:
        await release_runs(tx, [given_up.lease])
    [taken_over] = await claim(pool)
    assert taken_over.due_at == given_up.due_at
    assert await finish(pool, [given_up]) == []


@pytest.mark.parametrize("changed", [{"settings": {"port": 105}}, {"interval": 2 * MINUTE}, {"vantage": "north-dmz"}])
async def test_result_of_a_probe_that_asks_another_thing_now_is_dropped(pool: Pool, changed: dict[str, Any]) -> None:
    """It tells nothing of what is asked now, which is due at once."""
    probe = probe_of("a")
    await plant(pool, probe)
    [run] = await claim(pool)
    async with begin(pool, "probes") as tx:
        await start_probe(tx, replace(probe, **changed))
    assert await finish(pool, [run]) == []
    assert len(await claim(pool)) == (0 if "vantage" in changed else 1)


async def test_heavy_probe_that_was_changed_waits_for_its_old_run(pool: Pool) -> None:
    """Two transfers never run at one system at the same time, whoever changes what."""
    probe = probe_of("a", kind="dicom-retrieve", is_heavy=True)
    await plant(pool, probe)
    await claim(pool)
    async with begin(pool, "probes") as tx:
        await start_probe(tx, replace(probe, settings={"port": 105}))
    assert await claim(pool) == []
    assert len(await claim(pool, later=20 * SECOND)) == 1


async def test_result_of_a_probe_with_another_name_now_is_kept(pool: Pool) -> None:
    """What is asked is the same, and so are its times."""
    probe = probe_of("a")
    await plant(pool, probe)
    [run] = await claim(pool)
    async with begin(pool, "probes") as tx:
        await start_probe(tx, replace(probe, name="another"))
    [ended] = await finish(pool, [run])
    assert ended.next_due == (await due_times(pool))["a"] == slot_after("a", MINUTE, run.due_at)


async def test_result_of_a_probe_that_was_stopped_is_dropped(pool: Pool) -> None:
    """Neither a result nor an alert comes after the end."""
    await plant(pool, probe_of("a"))
    [run] = await claim(pool)
    async with begin(pool, "probes") as tx:
        await stop_probe(tx, "a", "it is retired")
    assert await finish(pool, [run], Observation("failed", "refused", "late")) == []
    assert await pool.fetchval("SELECT count(*) FROM results") == 0


async def test_first_failure_brings_the_next_try_forward(pool: Pool) -> None:
    """After the retry interval, or at the regular time if that is sooner."""
    await plant(pool, probe_of("a"))
    [run] = await claim(pool)
    [ended] = await finish(pool, [run], Observation("failed", "refused", "nobody listens"))
    assert ended.next_due == min(run.due_at + 20 * SECOND, slot_after("a", MINUTE, run.due_at))


async def test_clock_that_was_set_back_stops_no_probe(pool: Pool) -> None:
    """What would be silent until the clock has caught up is due now; what is due in order stays as it is."""
    await plant(pool, probe_of("ahead"), due_in=timedelta(hours=1))
    await plant(pool, probe_of("in order"), due_in=MINUTE / 2)
    await plant(pool, probe_of("held"), due_in=-SECOND)
    await pool.execute("UPDATE probes SET lease = 'x', leased_until = now() + interval '1 hour' WHERE id = 'held'")
    before = await due_times(pool)
    async with begin(pool, "probes") as tx:
        await align_schedule(tx, Cadence(MINUTE, 20 * SECOND, 10 * SECOND))
    assert {run.probe.id for run in await claim(pool)} == {"ahead", "held"}
    assert (await due_times(pool))["in order"] == before["in order"]


async def test_shorter_interval_that_was_set_holds_at_once(pool: Pool) -> None:
    """A probe that a node gets by itself does not sit out the long interval of before."""
    await plant(pool, probe_of("a", interval=timedelta(days=1)), due_in=timedelta(hours=20))
    async with begin(pool, "probes") as tx:
        await align_schedule(tx, Cadence(MINUTE, 20 * SECOND, 10 * SECOND))
    [run] = await claim(pool)
    assert run.probe.interval == MINUTE


async def test_due_time_that_comes_twice_is_kept_once(pool: Pool) -> None:
    """After the clock was set back, probing goes on over the times that were probed before."""
    await plant(pool, probe_of("a"))
    [first] = await claim(pool)
    await finish(pool, [first])
    await pool.execute("UPDATE probes SET next_due = $1", first.due_at)
    [again] = await claim(pool)
    assert again.due_at == first.due_at
    assert len(await finish(pool, [again])) == 1
    assert await pool.fetchval("SELECT count(*) FROM results") == 1


async def test_replica_that_was_stopped_in_the_middle_holds_up_no_other(pool: Pool) -> None:
    """The database ends its transaction after some seconds of silence; the others then claim."""
    await plant(pool, probe_of("a"), probe_of("b"))

    async def stop_while_claiming() -> None:
        async with begin(pool, "probes") as stopped:
            await wait_for_turn(stopped)
            assert len(await claim(pool)) == 2

    with pytest.raises(InterfaceError):
        await stop_while_claiming()
