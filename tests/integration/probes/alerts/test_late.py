"""What comes days late, from an agent whose link was down: outages that are over are history, others are told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.probes.alerts.limits import Limits
from shared.database import Pool
from tests.integration.probes.alerts.stage import (
    BEGIN,
    POLICY,
    VANTAGE,
    Seen,
    bring,
    open_alerts,
    published,
    series,
    transitions,
)
from tests.integration.probes.runs.replica import MINUTE, plant, probe_of


def minutes_to_now() -> int:
    """From BEGIN, which was when this was loaded."""
    return int((datetime.now(UTC) - BEGIN) / MINUTE)


ROOM = "SELECT provide_partitions(now() - interval '3 days', now())"

PATIENT = replace(POLICY, longest_delay=timedelta(minutes=10))


async def test_planned_work_of_long_ago_holds_back_what_was_seen_in_it(pool: Pool) -> None:
    """Its results name the window, so that they count as planned, and nothing is raised."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    window = """INSERT INTO windows (id, revision, systems, starts_at, ends_at) VALUES ('w', 0, '{a}', $1, $2)"""
    await pool.execute(window, BEGIN - MINUTE, BEGIN + 30 * MINUTE)
    await bring(pool, *series("a", "ffffo"))
    assert await transitions(pool, "a") == ["pending", "held", "cleared"]
    assert await pool.fetchval("SELECT array_agg(DISTINCT window_id) FROM results") == ["w"]


async def test_an_outage_that_is_over_wakes_nobody(pool: Pool) -> None:
    """Its steps and its results are kept, each at its time; no alert comes of it."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    await bring(pool, *series("a", "fffffoo", begin=-10), policy=PATIENT)
    assert await transitions(pool, "a") == ["pending", "cleared"]
    rows = await pool.fetch("SELECT at, summary FROM alert_transitions ORDER BY id")
    assert rows[0]["at"] == BEGIN - 10 * MINUTE
    assert rows[0]["summary"].endswith("This comes late: it was seen 2 days ago.")
    assert "alert.raised" not in await published(pool)
    assert await pool.fetchval("SELECT count(*) FROM results WHERE outcome = 'failed'") == 5


async def test_an_outage_that_is_over_is_no_alert_however_many_deliveries_it_takes(pool: Pool) -> None:
    """While the agent says that it has more to bring, what is late is not the last word."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    for seen in series("a", "ffffff", begin=-10):
        await bring(pool, seen, policy=PATIENT, is_behind=True)
    await bring(pool, *series("a", "o"), policy=PATIENT)
    assert await transitions(pool, "a") == ["pending", "cleared"]


async def test_an_outage_that_is_not_over_is_raised_once_all_is_there(pool: Pool) -> None:
    """By the last of its results, with its true beginning and how late that is."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    await bring(pool, *series("a", "ooffff", begin=-10), policy=PATIENT, is_behind=True)
    assert await open_alerts(pool) == []
    await bring(pool, *series("a", "ff", begin=-4), policy=PATIENT)
    [alert] = await pool.fetch("SELECT since, summary FROM alerts WHERE resolved_at IS NULL")
    assert alert["since"] == BEGIN - 8 * MINUTE
    assert alert["summary"] == "no connection within 10 s This comes late: it was seen 2 days ago."


async def test_a_vantage_that_was_cut_off_days_ago_is_not_told_of(pool: Pool) -> None:
    """That it reached nothing then is over, as the last results of its targets show."""
    names = [f"target {number}" for number in range(8)]
    await plant(pool, *(probe_of(name, vantage=VANTAGE, settings={"host": name}) for name in names))
    await bring(pool, *(seen for name in names for seen in series(name, "ffffoo")), policy=PATIENT)
    assert "alert.raised" not in await published(pool)


async def test_a_limit_that_was_passed_days_ago_is_not_told_of(pool: Pool) -> None:
    """As little as an outage."""
    limits = {"association": Limits(warning=100, critical=200)}
    await plant(pool, probe_of("a", vantage=VANTAGE, limits=limits))
    slow = [Seen("a", minute, "o", {"association": 500.0 if minute < 5 else 1.0}) for minute in range(7)]
    await bring(pool, *slow, policy=PATIENT)
    assert await transitions(pool, "a", "association") == ["pending", "cleared"]


async def test_an_agent_that_is_always_behind_raises_as_any_other(pool: Pool) -> None:
    """However late each result comes: as long as it is the last there is, the same steps as if it had come in time."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    letters = "ooffoffffdfoofofofo"
    for seen in series("a", letters, begin=minutes_to_now() - 60):
        await bring(pool, seen, policy=PATIENT)
    await bring(pool, *series("b", letters))
    assert await transitions(pool, "a") == await transitions(pool, "b")
    assert (await published(pool)).count("alert.raised") == 2 * (await transitions(pool, "a")).count("raised") > 0
    assert await pool.fetchval("SELECT min(summary) FROM alerts WHERE subject = 'a'") != ""


async def test_what_comes_behind_a_newer_result_moves_nothing(pool: Pool) -> None:
    """The machine never goes back in time."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "o", begin=10))
    assert await bring(pool, *series("a", "ffff")) == ["repeated"] * 4
    assert await transitions(pool, "a") == []


async def test_what_is_within_ten_minutes_is_not_told_as_late(pool: Pool) -> None:
    """Neither is it said of any step."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fff", begin=minutes_to_now() - 5), policy=PATIENT)
    assert await pool.fetchval("SELECT count(*) FROM alert_transitions WHERE summary LIKE '%late%'") == 0
    assert len(await open_alerts(pool)) == 1


async def test_what_is_open_is_resolved_by_late_results(pool: Pool) -> None:
    """As by any others."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fff"))
    assert await open_alerts(pool) != []
    await bring(pool, *series("a", "oo", begin=10), policy=PATIENT)
    assert await open_alerts(pool) == []
