"""KPIs over HTTP, from results that were really kept and summed up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from services.probes.history.domain import Result
from services.probes.kpis.api import router
from services.probes.rollups.domain import HOUR
from services.probes.settings import ProbesSettings
from shared.database import Pool
from shared.service import Service
from shared.transactions import new_id
from tests.integration.conftest import Run
from tests.integration.probes.fleet import FAST
from tests.integration.probes.history.past import MINUTE, SUBJECT, keep, next_hour, result, roll

SOUTH = "0198c1f2-6d1c-7a53-9d1f-000000000002"
ECHO, FIND = f"dicom-echo:{SUBJECT}", f"dicom-find:{SUBJECT}"


def build(pool: Pool, _: ProbesSettings) -> Service:
    """Probes with nothing but their KPIs."""
    return Service(name="probes", routers=[router])


@asynccontextmanager
async def asking(run: Run, *grants: str) -> AsyncIterator[tuple[httpx.AsyncClient, Pool]]:
    """A caller and the database."""
    async with run(probes=(build, ProbesSettings, FAST)) as steward, steward.as_("vera", *grants) as vera:
        yield vera, steward.pools["probes"]


async def ask(who: httpx.AsyncClient, what: str, **query: Any) -> dict[str, Any]:
    """The answer to who may ask."""
    answer = await who.get(f"/probes/v1/{what}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def at(when: datetime) -> str:
    """An instant as a query has it."""
    return when.isoformat()


def a_bad_hour(starts_at: datetime) -> list[Result]:
    """An hour of one probe, each minute: minutes 10 to 14 refuse, 20 to 21 fail above the transport, 30 to 39 are
    planned and refuse, from 50 on nobody looks."""
    results = []
    for minute in range(50):
        more: dict[str, Any] = {}
        if 10 <= minute < 15:
            more = {"outcome": "failed", "failure": "refused", "phases": {}}
        elif 20 <= minute < 22:
            more = {"outcome": "failed", "failure": "dimse_status"}
        elif 30 <= minute < 40:
            more = {"outcome": "failed", "failure": "refused", "phases": {}, "window_id": new_id()}
        results.append(result(starts_at + minute * MINUTE, ECHO, **more))
    return results


async def test_an_hour_by_hand(run: Run) -> None:
    """49 minutes are accounted for, 10 of them planned; of the other 39, 5 were unreachable and 2 more not usable."""
    async with asking(run, "viewer:north") as (vera, pool):
        starts_at = await next_hour(pool)
        await keep(pool, a_bad_hour(starts_at))
        await roll(pool, starts_at + 2 * HOUR)
        period = {"from": at(starts_at), "to": at(starts_at + HOUR), "subject": SUBJECT}
        [shown] = (await ask(vera, "availability", **period))["items"]
        assert shown["seconds"] == 3600
        assert shown["observed_seconds"] == 39 * 60
        assert shown["planned_seconds"] == shown["planned_down_seconds"] == 600
        assert shown["unknown_seconds"] == 11 * 60
        assert shown["reachable"] == pytest.approx(34 / 39)
        assert shown["usable"] == pytest.approx(32 / 39)
        [held] = (await ask(vera, "reliability", **period))["items"]
        assert (held["breakdowns"], held["losses"]) == (2, 1)
        assert held["mtbf_seconds"] == 32 * 60 / 2
        assert held["mttr_seconds"] == 7 * 60 / 2


async def test_system_is_there_as_long_as_none_of_its_probes_misses_it(run: Run) -> None:
    """One misses minutes 10 to 14, both 20 to 24, the other 40 to 44: of the 55 that are seen, 40 are left."""
    system_id = new_id()
    async with asking(run, "viewer:north") as (vera, pool):
        starts_at = await next_hour(pool)
        for probe_id, gone in ((ECHO, (10, 20)), (FIND, (20, 40))):
            bad = {minute + n for minute in gone for n in range(5)}
            down = {"outcome": "failed", "failure": "refused"}
            minutes = [starts_at + minute * MINUTE for minute in range(56)]
            await keep(
                pool, [result(due_at, probe_id, **(down if n in bad else {})) for n, due_at in enumerate(minutes)]
            )
        await keep(pool, [result(starts_at, f"ntp:{SOUTH}", subject=SOUTH)], starts_at + HOUR)
        await pool.execute("UPDATE histories SET system_id = $1 WHERE subject = $2", system_id, SUBJECT)
        await roll(pool, starts_at + 2 * HOUR)
        period = {"from": at(starts_at), "to": at(starts_at + HOUR)}
        by_id = {one["id"]: one for one in (await ask(vera, "availability/systems", **period))["items"]}
        assert by_id.keys() == {system_id, SOUTH}
        shown = by_id[system_id]
        assert (shown["probes"], shown["observed_seconds"]) == (2, 55 * 60)
        assert shown["usable_seconds"] == pytest.approx(40 * 60)
        assert (await ask(vera, "availability/systems", **period, limit=1))["next"] == min(by_id)
        [only] = (await ask(vera, "availability/systems", **period, kind="dicom-echo"))["items"]
        assert (only["probes"], only["usable_seconds"]) == (1, 45 * 60)


async def test_history_is_as_fine_as_the_period_is_short(run: Run) -> None:
    """Single results for an hour; steps of any length give the same sums."""
    async with asking(run, "viewer:*") as (vera, pool):
        starts_at = await next_hour(pool)
        await keep(pool, a_bad_hour(starts_at))
        await roll(pool, starts_at + 2 * HOUR)
        period = {"from": at(starts_at), "to": at(starts_at + HOUR), "probe_id": ECHO}
        single = await ask(vera, "history", **period)
        [series] = single["items"]
        assert (single["source"], single["step_seconds"], len(series["points"])) == ("results", 0, 50)
        assert series["points"][0]["p50"] == 3.0
        assert series["points"][10] | {"at": None} == {
            **{"at": None, "outcomes": {"failed": 1}, "count": 0},
            **dict.fromkeys(("mean", "least", "greatest", "p50", "p95", "p99")),
        }
        for step, steps in (("5m", 10), ("15m", 4), ("1h", 1), ("1d", 1)):
            [series] = (await ask(vera, "history", **period, step=step, measure="tcp"))["items"]
            points = series["points"]
            assert len(points) == steps
            assert sum(point["outcomes"].get("failed", 0) for point in points) == 17
            assert sum(point["count"] for point in points) == 35
            assert {point["mean"] for point in points if point["count"]} == {1.0}


async def test_percentiles_of_each_phase_and_measure(run: Run) -> None:
    """Of 100 times from 1 to 100 ms, within 1 %; least and greatest exactly."""
    async with asking(run, "viewer:*") as (vera, pool):
        starts_at = await next_hour(pool)
        results = [
            result(starts_at + number * MINUTE, FIND, phases={"dimse": float(number + 1)}, measures={"instances": 7})
            for number in range(100)
        ]
        await keep(pool, results)
        await roll(pool, starts_at + 3 * HOUR)
        period = {"from": at(starts_at), "to": at(starts_at + 3 * HOUR), "site_id": "north", "kind": "dicom-find"}
        found = {item["measure"]: item for item in (await ask(vera, "percentiles", **period))["items"]}
        assert found.keys() == {"dimse", "instances", "total"}
        of_dimse = found["dimse"]
        assert (of_dimse["count"], of_dimse["mean"], of_dimse["least"], of_dimse["greatest"]) == (100, 50.5, 1, 100)
        for share in (50, 95, 99):
            assert of_dimse[f"p{share}"] == pytest.approx(share, rel=0.01)
        assert found["instances"]["p50"] == 7
        [one] = (await ask(vera, "percentiles", **period, measure="instances"))["items"]
        assert one == found["instances"]


@pytest.mark.seed("88")
async def test_filling_store_is_foretold(run: Run) -> None:
    """20 days from 50 % with 1 % a day, and what if the studies double or a migration comes."""
    async with asking(run, "viewer:*") as (vera, pool):
        starts_at = await next_hour(pool) - timedelta(days=20)
        await pool.execute("SELECT provide_partitions($1, $2)", starts_at, starts_at)
        fill = [(starts_at + number * timedelta(hours=6), 0.5 + number / 400) for number in range(80)]
        results = [result(when, ECHO, measures={"used_ratio": ratio}) for when, ratio in fill]
        await keep(pool, results)
        await roll(pool, starts_at + timedelta(days=20))
        [told] = (await ask(vera, "forecast", subject=SUBJECT))["items"]
        assert told["verdict"] == "filling"
        assert told["per_day"] == pytest.approx(0.01, rel=0.01)
        assert told["days_to_full"] == pytest.approx((1 - told["fill"]) / 0.01, rel=0.02)
        assert told["earliest"] <= told["full_at"] <= told["latest"]
        [doubled] = (await ask(vera, "forecast", growth=2))["items"]
        assert doubled["days_to_full"] == pytest.approx(told["days_to_full"] / 2)
        soon = (datetime.fromisoformat(told["at"]) + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        [migrated] = (await ask(vera, "forecast", addition=[f"0.1@{soon}"]))["items"]
        assert migrated["days_to_full"] == pytest.approx(told["days_to_full"] - 10, rel=0.02)
        assert (await ask(vera, "forecast", measure="nothing"))["items"] == []


@pytest.mark.parametrize("what", ["history", "availability", "reliability", "percentiles", "forecast"])
async def test_other_sites_do_not_exist(run: Run, what: str) -> None:
    """Neither in lists nor for who asks for them by name; pages follow one another within one's own sites."""
    async with asking(run, "viewer:north") as (vera, pool):
        starts_at = await next_hour(pool)
        more = {"measures": {"used_ratio": 0.5}}
        north = [result(starts_at + n * MINUTE, f"ntp:{n}", **more) for n in range(3)]
        south = [result(starts_at, f"ntp:{SOUTH}", site_id="south", subject=SOUTH, **more)]
        await keep(pool, north + south)
        await roll(pool, starts_at + 2 * HOUR)
        period = {} if what == "forecast" else {"from": at(starts_at), "to": at(starts_at + HOUR)}
        if what == "forecast":
            await pool.execute("UPDATE rollups_1h SET starts_at = now() - interval '2 hours'")
        assert (await ask(vera, what, **period, subject=SOUTH))["items"] == []
        assert (await ask(vera, what, **period, site_id="south"))["items"] == []
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await ask(vera, what, **period, **cursor, limit=2)
            seen += dict.fromkeys(item["probe_id"] for item in page["items"])
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        assert seen == ["ntp:0", "ntp:1", "ntp:2"]


@pytest.mark.parametrize(
    ("what", "query", "field"),
    [
        ("history", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "from"),
        ("history", {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z", "step": "5m"}, "step"),
        ("history", {"step": "3m"}, "step"),
        ("history", {"limit": "1000"}, "limit"),
        ("availability", {"from": "2001-01-01T00:00:00Z"}, "from"),
        ("availability", {"subject": "north-pacs"}, "subject"),
        ("percentiles", {"mesure": "tcp"}, "mesure"),
        ("forecast", {"growth": "-1"}, "growth"),
        ("forecast", {"full": "inf"}, "full"),
        ("forecast", {"addition": "a lot"}, "addition"),
    ],
)
async def test_odd_questions_are_refused_by_field(run: Run, what: str, query: dict[str, str], field: str) -> None:
    """With the rule and an example."""
    async with asking(run, "viewer:*") as (vera, _):
        answer = await vera.get(f"/probes/v1/{what}", params=query)
        assert answer.status_code == 422
        [error] = answer.json()["errors"]
        assert (error["field"].rpartition(".")[2], bool(error["rule"])) == (field, True)
