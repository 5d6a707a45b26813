"""What comes days late, from an agent whose link was down, is judged as it would have been, and told as late."""

from dataclasses import replace
from datetime import timedelta

from shared.database import Pool
from tests.integration.probes.alerts.stage import (
    BEGIN,
    POLICY,
    VANTAGE,
    bring,
    open_alerts,
    published,
    series,
    transitions,
)
from tests.integration.probes.runs.replica import MINUTE, plant, probe_of

NOW = 2 * 24 * 60
"""Minutes from BEGIN to now."""

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


async def test_an_outage_that_is_over_is_raised_and_resolved_and_told_as_late(pool: Pool) -> None:
    """Nobody was told of it when it was; each step says how long ago it was seen."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    await bring(pool, *series("a", "fffffoo", begin=-10), policy=PATIENT)
    assert await transitions(pool, "a") == ["pending", "raised", "recovering", "resolved"]
    [alert] = await pool.fetch("SELECT since, summary, resolution FROM alerts")
    assert alert["since"] == BEGIN - 10 * MINUTE
    late = "This comes late: it was seen 2 days ago."
    assert alert["summary"] == f"no connection within 10 s {late}"
    assert alert["resolution"] == f"The check dicom-echo succeeds again. {late}"


async def test_an_agent_that_is_always_behind_raises_as_any_other(pool: Pool) -> None:
    """However late each result comes, one at a time: the same steps as if they had come at once."""
    await plant(pool, probe_of("a", vantage=VANTAGE), probe_of("b", vantage=VANTAGE))
    letters = "ooffoffffdfoofofofo"
    for seen in series("a", letters, begin=NOW - 60):
        await bring(pool, seen, policy=PATIENT)
    await bring(pool, *series("b", letters), policy=PATIENT)
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
    await bring(pool, *series("a", "fff", begin=NOW - 5), policy=PATIENT)
    assert await pool.fetchval("SELECT count(*) FROM alert_transitions WHERE summary LIKE '%late%'") == 0
    assert len(await open_alerts(pool)) == 1


async def test_what_is_open_is_resolved_by_late_results(pool: Pool) -> None:
    """As by any others."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fff"))
    assert await open_alerts(pool) != []
    await bring(pool, *series("a", "oo", begin=10), policy=PATIENT)
    assert await open_alerts(pool) == []
