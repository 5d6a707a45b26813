"""What is usual at an hour of the week, and what an outage does to it: nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from services.probes.alerts.domain import AlertState
from services.probes.alerts.judging import Knowledge, judge_batch
from services.probes.alerts.limits import Limits
from services.probes.baselines.domain import (
    ALL_HOURS,
    KEPT,
    Samples,
    Usual,
    learn,
    limits_from,
    slot_of,
    slots_around,
    usual_at,
)
from services.probes.kinds.domain import Measure, Nature
from tests.unit.probes.alerts.checks import MINUTE, NOON, POLICY, Ids, judged, probe

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SPEED = {"dicom-echo": Nature({"bytes_per_second": Measure("B/s", "lower", "how fast", baseline=True)})}
KEY = ("echo:pacs", "bytes_per_second")


def test_hours_are_those_of_the_site() -> None:
    """Berlin's Monday begins an hour before that of UTC; without a zone it is UTC's."""
    assert slot_of(MONDAY, None) == 0
    assert slot_of(MONDAY, "Europe/Berlin") == 1
    assert slot_of(MONDAY - timedelta(minutes=30), "Europe/Berlin") == 0
    assert slot_of(MONDAY - timedelta(minutes=30), None) == 167


def test_the_week_is_a_ring() -> None:
    assert slots_around(0) == (0, 167, 1, ALL_HOURS)
    assert slots_around(167) == (167, 166, 0, ALL_HOURS)


def test_too_little_falls_back_to_the_hours_around_then_to_all_then_to_nothing() -> None:
    few = Samples((1.0, 1.0, 1.0))
    assert usual_at({5: Samples((2.0,) * 5), 6: Samples((9.0,) * 9)}, 5) == Usual(2.0, 0.0)
    assert usual_at({4: few, 5: few}, 5) == Usual(1.0, 0.0)
    assert usual_at({5: few, ALL_HOURS: Samples((7.0,) * 12)}, 5) == Usual(7.0, 0.0)
    assert usual_at({5: few, ALL_HOURS: Samples((7.0,) * 11)}, 5) is None
    assert usual_at({}, 5) is None


def test_a_few_wild_values_move_nothing() -> None:
    """The median of eight usual values and three wild ones is a usual one."""
    usual = usual_at({5: Samples((10.0, 11.0, 9.0, 10.0, 12.0, 10.0, 9.0, 11.0, 9e9, 9e9, 0.0))}, 5)
    assert usual == Usual(10.0, 1.0)


@pytest.mark.parametrize(
    ("usual", "worse", "warning", "critical"),
    [
        (Usual(100, 0), "higher", 200, 400),
        (Usual(100, 0), "lower", 50, 25),
        (Usual(100, 50), "higher", 100 + 3 * 1.4826 * 50, 400),
        (Usual(100, 20), "lower", 100 - 3 * 1.4826 * 20, 100 - 3 * 1.4826 * 20),
    ],
)
def test_limits_are_multiples_of_the_median_and_lie_outside_of_what_varies(
    usual: Usual, worse: str, warning: float, critical: float
) -> None:
    """Twice and four times as bad, and at least three deviations away."""
    limits = limits_from(usual, "higher" if worse == "higher" else "lower", "B/s", 0.94)
    assert limits.warning == pytest.approx(warning)
    assert limits.critical == pytest.approx(critical)


@pytest.mark.parametrize(("unit", "noticed"), [("ms", 500), ("s", 0.5), ("seconds", 0.5)])
def test_what_no_person_notices_is_no_alert(unit: str, noticed: float) -> None:
    """Thirty milliseconds are three times ten, and still nothing."""
    limits = limits_from(Usual(noticed / 50, 0), "higher", unit, 0.94)
    assert limits.warning == limits.critical == pytest.approx(noticed / 50 + noticed)
    assert limits_from(Usual(10 * noticed, 0), "higher", unit, 0.94).warning == pytest.approx(20 * noticed)


def test_one_hour_never_fills_its_slot() -> None:
    """Values closer than ten minutes are left out, old ones make room."""
    baseline: dict[int, Samples] = {}
    for minute in range(60):
        baseline |= learn(baseline, 5, float(minute), MONDAY + minute * MINUTE)
    assert baseline[5].values == (0.0, 10.0, 20.0, 30.0, 40.0, 50.0)
    for week in range(40):
        baseline |= learn(baseline, 5, 1.0, MONDAY + timedelta(weeks=week + 1))
    assert baseline[5].values == (1.0,) * KEPT


def runs(speeds: list[float], outcome: str = "ok") -> list[object]:
    """The transitions of runs an hour apart at these speeds, after a week in which 100 was usual."""
    baseline = {ALL_HOURS: Samples((100.0,) * 20, MONDAY)}
    states: dict[tuple[str, str], AlertState] = {}
    told: list[object] = []
    for hour, speed in enumerate(speeds):
        one = judged(probe(), "ok", NOON + hour * timedelta(hours=1), measures={"bytes_per_second": speed})
        verdict = judge_batch([one], Knowledge(POLICY, [], SPEED, states=states, baselines={KEY: baseline}), Ids())
        states |= {move.key: move.state for move in verdict.moves}
        baseline |= verdict.learned.get(KEY, {})
        told += [change.what for move in verdict.moves for change in move.changes]
    return [*told, len(baseline[ALL_HOURS].values) - 20]


def test_half_as_fast_is_a_warning_and_is_not_learned() -> None:
    """However long it lasts: of 50 slow hours none becomes usual."""
    assert runs([100.0, 98.0, *[45.0] * 50]) == ["pending", "raised", 2]


def test_a_quarter_as_fast_is_critical_in_the_end() -> None:
    assert runs([45.0] * 3 + [20.0] * 3) == ["pending", "raised", "escalated", 0]


def test_it_is_over_when_it_is_clearly_faster_again() -> None:
    """Half as fast as usual was the limit: 50; 53 is beyond its margin and 51 is not."""
    assert runs([45.0] * 3 + [51.0, 51.0]) == ["pending", "raised", 0]
    assert runs([45.0] * 3 + [54.0, 54.0, 100.0]) == ["pending", "raised", "recovering", "resolved", 1]


def test_what_is_not_known_is_not_judged() -> None:
    one = judged(probe(), "ok", NOON, measures={"bytes_per_second": 0.001})
    verdict = judge_batch([one], Knowledge(POLICY, [], SPEED), Ids())
    assert verdict.moves == ()
    assert set(verdict.learned[KEY]) == {slot_of(NOON, None), ALL_HOURS}


def test_a_check_can_turn_off_what_its_kind_judges() -> None:
    one = judged(probe(limits={"bytes_per_second": Limits()}), "ok", NOON, measures={"bytes_per_second": 1.0})
    verdict = judge_batch([one], Knowledge(POLICY, [], SPEED), Ids())
    assert (verdict.moves, verdict.learned) == ((), {})
