"""How finely a period is shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kpis.steps import MOST_POINTS, Period, StepName, read_period, steps_for, summed
from shared.errors import Malformed

NOW = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC)
ROLLED = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SINCE = NOW - timedelta(days=30)
HOUR = timedelta(hours=1)


def last(length: timedelta) -> Period:
    """The period up to now."""
    return Period(NOW - length, NOW)


@pytest.mark.parametrize(
    ("length", "source", "step"),
    [
        (HOUR, "results", timedelta(0)),
        (6 * HOUR, "results", timedelta(0)),
        (24 * HOUR, "5m", timedelta(minutes=5)),
        (24 * 7 * HOUR, "5m", timedelta(minutes=15)),
        (24 * 30 * HOUR, "1h", HOUR),
        (24 * 180 * HOUR, "1h", 6 * HOUR),
        (24 * 3650 * HOUR, "1h", 24 * HOUR),
    ],
)
def test_steps_suit_the_length(length: timedelta, source: str, step: timedelta) -> None:
    """Single results for hours, 5 minutes for days, hours for months, days for years."""
    steps = steps_for(last(length), None, SINCE, ROLLED)
    assert (steps.source, steps.length) == (source, step)


def test_old_hours_have_no_results_any_more() -> None:
    """They are shown by 5 minutes."""
    old = Period(SINCE - 5 * HOUR, SINCE - 4 * HOUR)
    assert steps_for(old, None, SINCE, ROLLED).source == "5m"


def test_too_many_points_are_refused_with_a_step_that_fits() -> None:
    """Of a year, days fit, and so do 6 hours."""
    with pytest.raises(Malformed, match="for example 6h"):
        steps_for(last(365 * 24 * HOUR), "5m", SINCE, ROLLED)


def test_period_is_whole_steps_and_ends_where_sums_do() -> None:
    """The hour under way is not summed up yet."""
    fine, coarse = summed(last(24 * HOUR), ROLLED), summed(last(240 * HOUR), ROLLED)
    assert fine.period.ends_at == ROLLED
    assert fine.period.starts_at == datetime(2026, 2, 28, 12, 30, tzinfo=UTC)
    assert coarse.period.ends_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(
    st.timedeltas(timedelta(seconds=1), timedelta(days=3660)), st.sampled_from(["5m", "15m", "1h", "6h", "1d", None])
)
def test_points_are_bounded(length: timedelta, step: StepName | None) -> None:
    """Whatever is asked for, it is refused or has at most so many steps, and a step at each of the ends."""
    try:
        steps = steps_for(last(length), step, SINCE, ROLLED)
    except Malformed:
        return
    if steps.length:
        assert steps.period.length / steps.length <= MOST_POINTS + 2
        assert steps.period.starts_at <= steps.period.ends_at


@given(st.timedeltas(timedelta(hours=1), timedelta(days=40)), st.timedeltas(timedelta(hours=1), timedelta(days=40)))
def test_adjacent_periods_share_no_step(first: timedelta, second: timedelta) -> None:
    """Where they meet on a full hour."""
    middle = datetime(2026, 1, 10, 5, tzinfo=UTC)
    one = summed(Period(middle - first, middle), ROLLED, HOUR)
    other = summed(Period(middle, middle + second), ROLLED, HOUR)
    assert one.period.ends_at == other.period.starts_at == middle


def test_period_without_a_length_is_refused() -> None:
    """In words that say which field."""
    with pytest.raises(Malformed, match="from: must be before `to`"):
        read_period(NOW, NOW, NOW, HOUR)
    assert read_period(None, None, NOW, HOUR) == Period(NOW - HOUR, NOW)
