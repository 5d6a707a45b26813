"""Rollups say what the results say, whenever they come and whatever is killed meanwhile."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.probes.history.domain import Result
from services.probes.history.handlers import keep_results
from services.probes.kpis.sketch import bin_of, merged, quantile
from services.probes.rollups.domain import HOUR, STEP
from services.probes.rollups.handlers import close_periods, keep_within_history, roll_late, roll_next
from shared.database import Pool
from shared.transactions import Transaction, begin
from tests.integration.probes.history.past import MINUTE, database_of_probes, keep, next_hour, result, roll
from tests.integration.probes.rollups.brute_force import Expected, rollups_of

PROBES = ("dicom-echo:one", "dicom-find:one", "ntp:two")
ACCOUNT = ("observed", "reachable", "usable", "planned", "planned_down", "losses", "breakdowns")


def a_past(chance: random.Random, starts_at: datetime, hours: int) -> list[Result]:
    """Results at odd times, with gaps, windows and all that can be seen, of several probes."""
    results = []
    for probe_id in PROBES:
        at = starts_at + timedelta(seconds=chance.uniform(0, 60))
        while at < starts_at + hours * HOUR:
            results.append(_a_result(chance, at, probe_id))
            at += timedelta(seconds=chance.choice([20, 60, 60, 60, 60, 170, 190, 1500]) + chance.random())
    return results


def _a_result(chance: random.Random, at: datetime, probe_id: str) -> Result:
    outcome = chance.choice(["ok", "ok", "ok", "degraded", "failed", "probe_error", "skipped"])
    failure = chance.choice(["refused", "dimse_status", "timeout_answer"]) if outcome == "failed" else None
    return result(
        at,
        probe_id,
        outcome=outcome,
        failure=failure,
        window_id=chance.choice([None, None, "w"]),
        phases=chance.choice(
            [{}, {"dimse": chance.expovariate(1)}, {"tcp": chance.lognormvariate(0, 2), "dimse": 1.5}]
        ),
        measures={"offset_seconds": chance.gauss(0, 1)} if probe_id.startswith("ntp") else {},
    )


async def read(pool: Pool, table: str) -> dict[tuple[str, datetime], asyncpg.Record]:
    """All rollups there are."""
    rows = await pool.fetch(
        f"""SELECT *, (SELECT coalesce(jsonb_object_agg(each.name, part), '{{}}')
                       FROM unpacked(numbers, measures) AS each) AS parts
            FROM {table} JOIN histories ON number = probe"""
    )
    return {(row["probe_id"], row["starts_at"]): row for row in rows}


async def check(pool: Pool, table: str, results: Sequence[Result], step: timedelta) -> None:
    """Fails where the rollups are not those of the results."""
    found, expected = await read(pool, table), rollups_of(results, MINUTE, step)
    assert found.keys() == expected.keys()
    for key, one in expected.items():
        _check_one(dict(found[key]), one)


def read_bins(text: str) -> dict[int, int]:
    """The bins as a rollup has them."""
    counted = (one.partition(":") for one in text.split(" "))
    return merged(*({int(number): int(count or 1)} for number, _, count in counted))


def _check_one(row: dict[str, Any], expected: Expected) -> None:
    outcomes = ("ok", "degraded", "failed", "probe_error", "skipped")
    assert {name: row[name] for name in outcomes if row[name]} == expected.outcomes
    account = [getattr(expected.account, name) for name in ACCOUNT]
    assert [row[name] for name in ACCOUNT] == pytest.approx(account, abs=1e-3)
    assert row["parts"].keys() == expected.values.keys()
    for name, (count, total, least, greatest, bins) in row["parts"].items():
        values = sorted(expected.values[name])
        told = (len(values), sum(values), values[0], values[-1])
        assert (count, total, least, greatest) == pytest.approx(told, rel=1e-6, abs=1e-6)
        for share in (0.5, 0.95, 0.99):
            ranked = values[max(0, math.ceil(share * len(values)) - 1)]
            estimate = quantile(read_bins(bins), share)
            assert estimate == pytest.approx(ranked, rel=0.0101)


@pytest.mark.parametrize("seed", range(6))
async def test_rollups_are_what_the_long_way_computes(database: str, seed: int) -> None:
    """For results in their order, in any batches, rolled while they come."""
    chance = random.Random(seed)
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        results = sorted(a_past(chance, starts_at, 4), key=lambda r: r.due_at)
        rest = list(results)
        while rest:
            size = chance.randint(1, 60)
            batch, rest = rest[:size], rest[size:]
            await keep(pool, batch)
            if chance.random() < 0.4:
                await roll(pool, batch[-1].due_at)
        await roll(pool, starts_at + 5 * HOUR)
        await check(pool, "rollups_5m", results, STEP)
        await check(pool, "rollups_1h", results, HOUR)


@pytest.mark.parametrize("seed", range(6))
async def test_late_results_count_as_if_they_had_come_in_time(database: str, seed: int) -> None:
    """Hours late, in any order, of periods that were rolled, and of probes that nobody had heard of."""
    chance = random.Random(100 + seed)
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        results = a_past(chance, starts_at, 4)
        late = [r for r in results if chance.random() < 0.3 or r.probe_id == PROBES[2]]
        in_time = [r for r in results if r not in late]
        now = starts_at + 6 * HOUR
        await keep(pool, in_time, now)
        await roll(pool, now)
        chance.shuffle(late)
        while late:
            size = chance.randint(1, 100)
            batch, late = late[:size], late[size:]
            await keep(pool, batch, now)
            if chance.random() < 0.5:
                await roll(pool, now)
        await roll(pool, now)
        assert await pool.fetchval("SELECT count(*) FROM late_results") == 0
        await check(pool, "rollups_5m", results, STEP)
        await check(pool, "rollups_1h", results, HOUR)


async def killed(pool: Pool, step: Callable[[Transaction], Awaitable[bool]], now: datetime) -> None:
    """A step that does not come to its commit."""
    async with begin(pool, "probes", now=now) as tx:
        await step(tx)
        raise asyncio.CancelledError


async def test_killed_between_any_two_steps_loses_and_doubles_nothing(database: str) -> None:
    """Each transaction is once ended before its commit; made again, it comes to the same."""
    chance = random.Random(7)
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        results = a_past(chance, starts_at, 2)
        now = starts_at + 3 * HOUR
        await keep(pool, [r for r in results if r.due_at < starts_at + HOUR], starts_at + HOUR)
        await roll(pool, now)
        await keep(pool, [r for r in results if r.due_at >= starts_at + HOUR], now)
        for step in (close_periods, roll_next, roll_late):
            is_more = True
            while is_more:
                with pytest.raises(asyncio.CancelledError):
                    await killed(pool, step, now)
                async with begin(pool, "probes", now=now) as tx:
                    is_more = await step(tx)
        await check(pool, "rollups_5m", results, STEP)
        await check(pool, "rollups_1h", results, HOUR)


async def test_result_that_is_being_kept_while_its_period_closes_is_counted(database: str) -> None:
    """Closing waits for who keeps results."""
    async with database_of_probes(database) as pool:
        due_at = await next_hour(pool)
        now = due_at + HOUR
        async with begin(pool, "probes", now=now) as tx:
            await keep_results(tx, [result(due_at)])
            rolling = asyncio.create_task(roll(pool, now))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            while not await tx.conn.fetchval(waiting):
                assert not rolling.done()
        await rolling
        await check(pool, "rollups_5m", [result(due_at)], STEP)


async def test_two_replicas_roll_the_same_once(database: str) -> None:
    """Whoever comes second leaves it to the first."""
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        results = a_past(random.Random(3), starts_at, 2)
        now = starts_at + 3 * HOUR
        await keep(pool, results, now)
        await asyncio.gather(*(roll(pool, now) for _ in range(3)))
        await roll(pool, now)
        await check(pool, "rollups_5m", results, STEP)


async def test_rollups_stay_when_results_go(database: str) -> None:
    """Days go as whole partitions, what is kept later of them is not kept, and the sums remain until their time."""
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool)
        results = a_past(random.Random(4), starts_at, 2)
        await keep(pool, results, starts_at + 2 * HOUR)
        await roll(pool, starts_at + 3 * HOUR)
        for days, left in ((29, len(results)), (32, 0)):
            async with begin(pool, "probes", now=starts_at + timedelta(days=days)) as tx:
                await keep_within_history(tx, timedelta(days=30), timedelta(days=700), timedelta(days=3000))
            assert await pool.fetchval("SELECT count(*) FROM results") == left
        await keep(pool, results[:3], starts_at + timedelta(days=32))
        assert await pool.fetchval("SELECT count(*) FROM results") == 0
        await roll(pool, starts_at + timedelta(days=32))
        await check(pool, "rollups_5m", results, STEP)
        await check(pool, "rollups_1h", results, HOUR)
        async with begin(pool, "probes", now=starts_at + timedelta(days=800)) as tx:
            await keep_within_history(tx, timedelta(days=30), timedelta(days=700), timedelta(days=3000))
        assert await pool.fetchval("SELECT count(*) FROM rollups_5m") == 0
        await check(pool, "rollups_1h", results, HOUR)


async def test_room_is_made_ahead_and_on_demand(database: str) -> None:
    """Results of a day that has no partition yet are kept; those of a clock that is days ahead are not."""
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool) + timedelta(days=20)
        await keep(pool, [result(starts_at), result(starts_at + timedelta(days=9))], now=starts_at)
        assert await pool.fetchval("SELECT array_agg(due_at) FROM results") == [starts_at]
        async with begin(pool, "probes", now=starts_at + timedelta(days=400)) as tx:
            await keep_within_history(tx, timedelta(days=30), timedelta(days=700), timedelta(days=3000))
        ahead = await pool.fetchval("SELECT max(ends_at) FROM partitions WHERE parent = 'results'")
        assert ahead > starts_at + timedelta(days=402)


async def test_days_that_nobody_made_room_for_have_it_when_they_are_told_of(database: str) -> None:
    """After an outage of many days an agent that saw them all is heard."""
    async with database_of_probes(database) as pool:
        starts_at = await next_hour(pool) + timedelta(days=20)
        async with begin(pool, "probes", now=starts_at) as tx:
            await keep_within_history(tx, timedelta(days=30), timedelta(days=700), timedelta(days=3000))
        await keep(pool, [result(starts_at - timedelta(days=days)) for days in range(19)], starts_at)
        assert await pool.fetchval("SELECT count(*) FROM results") == 19


async def test_bins_of_the_database_are_those_that_are_read(database: str) -> None:
    """For values of any size and sign."""
    chance = random.Random(5)
    values = [sign * chance.lognormvariate(0, 12) for sign in (1, -1) for _ in range(2000)] + [0.0, 1e-300, 1e300]
    async with database_of_probes(database) as pool:
        rows = await pool.fetch("SELECT v, log_bin(v) AS bin FROM unnest($1::float8[]) AS v", values)
    assert [row["bin"] for row in rows] == [bin_of(row["v"]) for row in rows]


async def test_service_can_neither_make_nor_drop_tables_itself(database: str) -> None:
    """It may only have its partitions made and dropped, which the database itself keeps count of."""
    async with database_of_probes(database) as pool:
        for statement in ("CREATE TABLE mine (id int)", "DROP TABLE results", "DELETE FROM partitions"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pool.execute(statement)
