"""What comes days late, from an agent whose link was down, is kept as it was, and wakes nobody for what is over."""

from dataclasses import replace
from datetime import timedelta

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


async def test_an_outage_that_is_over_is_kept_and_not_raised(pool: Pool) -> None:
    """One that lasts is raised by the first result that is not late, since its first failure."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await pool.execute(ROOM)
    await bring(pool, *series("a", "fffffo" + "ffff"), policy=PATIENT)
    assert (await transitions(pool, "a"), await open_alerts(pool)) == (["pending", "cleared", "pending"], [])
    assert await pool.fetchval("SELECT count(*) FROM results WHERE outcome = 'failed'") == 9
    await bring(pool, Seen("a", NOW), policy=PATIENT)
    assert await open_alerts(pool) == [("a", "dicom-echo", "critical")]
    assert await pool.fetchval("SELECT since FROM alerts") == BEGIN + 6 * MINUTE
    assert (await published(pool)).count("alert.raised") == 1


async def test_what_comes_and_went_long_ago_is_not_flapping_now(pool: Pool) -> None:
    """Neither is it raised for that."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fo" * 10), policy=PATIENT)
    assert await open_alerts(pool) == []


async def test_what_is_open_is_resolved_by_late_results(pool: Pool) -> None:
    """Only raising waits."""
    await plant(pool, probe_of("a", vantage=VANTAGE))
    await bring(pool, *series("a", "fff"))
    assert await open_alerts(pool) != []
    await bring(pool, *series("a", "oo", begin=10), policy=PATIENT)
    assert await open_alerts(pool) == []
