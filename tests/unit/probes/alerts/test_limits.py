"""From which value on a measure is bad, and when that is over."""

import pytest
from pydantic import ValidationError

from services.probes.alerts.limits import Level, Limits, Worse, clear_level, level_of

PERCENT = Limits(warning=80, critical=90)
DAYS = Limits(warning=30, critical=7)


@pytest.mark.parametrize(
    ("limits", "worse", "before", "value", "level"),
    [
        (PERCENT, "higher", "clear", 79.9, "clear"),
        (PERCENT, "higher", "clear", 80, "warning"),
        (PERCENT, "higher", "clear", 90, "critical"),
        (PERCENT, "higher", "critical", 85, "critical"),
        (PERCENT, "higher", "critical", 84, "warning"),
        (PERCENT, "higher", "warning", 85, "warning"),
        (PERCENT, "higher", "warning", 76, "warning"),
        (PERCENT, "higher", "warning", 75, "clear"),
        (PERCENT, "higher", "critical", 75, "clear"),
        (DAYS, "lower", "clear", 31, "clear"),
        (DAYS, "lower", "clear", 30, "warning"),
        (DAYS, "lower", "clear", 7, "critical"),
        (DAYS, "lower", "critical", 7.4, "critical"),
        (DAYS, "lower", "critical", 7.5, "warning"),
        (DAYS, "lower", "warning", 31.7, "warning"),
        (DAYS, "lower", "warning", 32, "clear"),
        (Limits(critical=1), "higher", "clear", 1, "critical"),
        (Limits(critical=1), "higher", "critical", 0, "clear"),
        (Limits(warning=-60), "higher", "warning", -62, "warning"),
        (Limits(warning=-60), "higher", "warning", -64, "clear"),
        (Limits(), "higher", "clear", 1e9, "clear"),
    ],
)
def test_level_holds_until_it_is_cleared(
    limits: Limits, worse: Worse, before: Level, value: float, level: Level
) -> None:
    """What fires at 90 clears below 84.6."""
    assert level_of(value, limits, worse, before) == level


def test_a_limit_that_is_not_set_has_no_level_to_clear() -> None:
    assert clear_level(None, "higher", 0.9) is None


def test_critical_is_at_least_as_bad_as_warning() -> None:
    """Which way is worse decides."""
    assert PERCENT.are_ordered("higher")
    assert not PERCENT.are_ordered("lower")
    assert DAYS.are_ordered("lower")
    assert not DAYS.are_ordered("higher")
    assert Limits(warning=3).are_ordered("lower")


@pytest.mark.parametrize("wrong", [{"warning": "nan"}, {"clear_ratio": 0}, {"clear_ratio": 1.1}, {"warn": 3}])
def test_limits_that_can_mean_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Limits.model_validate(wrong)
