"""Times and sizes as a person reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.console import times

NOW = datetime(2026, 3, 1, 21, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (7_200, "2 h"), (200_000, "2 d")]
)
def test_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    """A clock that is a little ahead makes no negative age."""
    assert times.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "unknown"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**60, "1024.0 PiB")]
)
def test_sizes_have_binary_units(count: int | None, text: str) -> None:
    """As restic shows them."""
    assert times.size(count) == text


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000])
def test_an_unknown_zone_is_utc(name: str) -> None:
    """The page stands, and says which zone it shows."""
    assert times.zone_of(name) is UTC


def test_local_time_is_that_of_the_site() -> None:
    """Also where it is another day."""
    assert times.local(NOW, times.zone_of("Asia/Tokyo")) == "Mon 2 Mar, 06:14"


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "today"),
        (1, "in 1 day"),
        (-1, "1 day ago"),
        (59, "in 59 days"),
        (90, "in 3 months"),
        (-800, "2 years ago"),
        (1826, "in 5 years"),
    ],
)
def test_how_far_a_day_is_is_told_in_one_unit(days: int, text: str) -> None:
    """Ahead and behind."""
    assert times.distance(NOW.date() + timedelta(days=days), NOW.date()) == text


def test_what_may_lie_years_back_has_its_year() -> None:
    """In the site's zone."""
    assert times.dated(NOW, times.zone_of("Asia/Tokyo")) == "2 Mar 2026, 06:14"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        ("", "none"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        ("5.2.1", "5.2.1"),
        ({"b": ["ü"]}, '{"b": ["ü"]}'),
        ("x" * 500, "x" * 120 + "…"),
    ],
)
def test_a_value_of_any_kind_stands_on_one_line(value: object, text: str) -> None:
    """However long it is."""
    assert times.brief(value) == text
