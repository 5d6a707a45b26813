"""Days to full: by hand, with noise, and what if."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kpis.forecast import (
    Addition,
    DailyFill,
    Forecast,
    Scenario,
    forecast,
    read_addition,
    trend_of,
)
from shared.errors import Malformed

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def fills(*values: float) -> list[DailyFill]:
    """One value a day."""
    return [DailyFill(START + number * DAY, value) for number, value in enumerate(values)]


def line(days: int, start: float, per_day: float) -> list[DailyFill]:
    """A store that fills evenly."""
    return fills(*(start + number * per_day for number in range(days)))


def days_to(told: Forecast, last: DailyFill) -> float:
    """How far away full is."""
    assert told.full_at is not None
    return (told.full_at - last.at) / DAY


def test_even_filling_by_hand() -> None:
    """From 50 % with 1 % a day, on the 21st day at 70 %, 30 days are left, and that is certain."""
    days = line(21, 0.5, 0.01)
    told = forecast(days, 1.0)
    assert told.verdict == "filling"
    assert days_to(told, days[-1]) == pytest.approx(30)
    assert told.earliest == pytest.approx(told.full_at, abs=timedelta(minutes=1))
    assert told.latest == pytest.approx(told.full_at, abs=timedelta(minutes=1))


@pytest.mark.parametrize("seed", range(5))
def test_true_slope_lies_in_the_interval(seed: int) -> None:
    """With noise ten times the daily growth, and every tenth day off by a half."""
    chance = random.Random(seed)
    noisy = [
        DailyFill(one.at, one.fill + chance.gauss(0, 0.02) + (0.5 if number % 10 == 3 else 0))
        for number, one in enumerate(line(90, 0.2, 0.002))
    ]
    trend = trend_of(noisy)
    assert trend is not None
    assert trend.low < 0.002 < trend.high
    told = forecast(noisy, 1.0)
    assert told.earliest is not None
    assert told.full_at is not None
    assert told.latest is not None
    assert told.earliest < told.full_at < told.latest


def test_emptying_store_does_not_fill() -> None:
    """No number of days is told."""
    told = forecast(line(30, 0.9, -0.01), 1.0)
    assert (told.verdict, told.full_at, told.latest) == ("not filling", None, None)


def test_unchanging_store_does_not_fill() -> None:
    """Nor is a slope of nothing divided by."""
    assert forecast(line(30, 0.9, 0.0), 1.0) == Forecast("not filling")


def test_store_that_may_or_may_not_fill_has_no_latest_day() -> None:
    """The interval reaches below nothing: perhaps it is never full."""
    chance = random.Random(1)
    unsure = [DailyFill(one.at, one.fill + chance.gauss(0, 0.1)) for one in line(20, 0.5, 0.001)]
    told = forecast(unsure, 1.0)
    assert told.latest is None


def test_thirteen_days_are_too_few() -> None:
    """They say so, and the fourteenth is enough."""
    assert forecast(line(13, 0.5, 0.01), 1.0) == Forecast("too little data")
    assert forecast([], 1.0) == Forecast("too little data")
    assert forecast(line(14, 0.5, 0.01), 1.0).verdict == "filling"


def test_full_is_full() -> None:
    """Now, not in less than no days."""
    days = line(30, 0.8, 0.01)
    assert forecast(days, 1.0) == Forecast("full", days[-1].at, days[-1].at, days[-1].at)


def test_twice_the_studies_fill_in_half_the_time() -> None:
    """And none at all never."""
    days = line(21, 0.5, 0.01)
    assert days_to(forecast(days, 1.0, Scenario(growth=2)), days[-1]) == pytest.approx(15)
    assert forecast(days, 1.0, Scenario(growth=0)).verdict == "not filling"


def test_additions_by_hand() -> None:
    """30 days are left; 10 % on the tenth day takes 10 of them, and what comes after it is full changes nothing."""
    days = line(21, 0.5, 0.01)
    tenth, later = Addition(days[-1].at + 10 * DAY, 0.1), Addition(days[-1].at + 25 * DAY, 0.3)
    assert days_to(forecast(days, 1.0, Scenario(additions=(later, tenth))), days[-1]) == pytest.approx(20)


def test_addition_that_fills_it_is_the_day() -> None:
    """Also in a store that would not fill by itself; what came before today is in the values already."""
    days = line(21, 0.7, 0.0)
    past, big = Addition(days[0].at, 0.3), Addition(days[-1].at + 10 * DAY, 0.4)
    assert forecast(days, 1.0, Scenario(additions=(past,))).verdict == "not filling"
    assert days_to(forecast(days, 1.0, Scenario(additions=(big, past))), days[-1]) == pytest.approx(10)


@given(st.floats(0.001, 0.02), st.floats(1, 10), st.floats(0, 0.2))
def test_more_of_anything_is_never_full_later(per_day: float, growth: float, amount: float) -> None:
    """Monotone in the growth and in what is added."""
    days = line(20, 0.2, per_day)
    plain = forecast(days, 1.0)
    more = forecast(days, 1.0, Scenario(growth, (Addition(days[-1].at + DAY, amount),)))
    assert days_to(more, days[-1]) <= days_to(plain, days[-1]) + 1e-6


@given(st.lists(st.floats(0, 1), min_size=14, max_size=40))
def test_order_of_the_dates_is_kept_for_any_values(values: list[float]) -> None:
    """The earliest day is not after the expected one, nor that after the latest."""
    told = forecast(fills(*values), 1.5)
    assert told.earliest is None or told.full_at is None or told.earliest <= told.full_at
    assert told.latest is None or told.full_at is None or told.full_at <= told.latest


def test_addition_is_read() -> None:
    """A day is its start in UTC."""
    assert read_addition("0.05@2026-09-01") == Addition(datetime(2026, 9, 1, tzinfo=UTC), 0.05)


@pytest.mark.parametrize(
    "text", ["", "0.05", "x@2026-09-01", "1@soon", "nan@2026-09-01", "inf@2026-09-01", "1@0001-01-01"]
)
def test_odd_additions_are_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(Malformed, match=r"addition: .*0\.05@2026-09-01"):
        read_addition(text)
