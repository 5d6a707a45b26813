"""How fast counters grow, from one reading to the next."""

from hypothesis import given
from hypothesis import strategies as st

from services.probes.kinds.counters import MOST, Counters


def test_growth_is_told_from_the_second_reading_on() -> None:
    """By the hour, whatever lay between; each counter has its own last reading."""
    counters = Counters()
    assert counters.per_hour("a", 100, now=0) is None
    assert counters.per_hour("b", 0, now=0) is None
    assert counters.per_hour("a", 110, now=300) == 120
    assert counters.per_hour("a", 110, now=600) == 0
    assert counters.per_hour("b", 1, now=3600) == 1


def test_a_counter_that_began_anew_tells_no_growth() -> None:
    """A restarted agent, or 32 bits that ran over; from then on it counts again."""
    counters = Counters()
    counters.per_hour("a", 2**32 - 1, now=0)
    assert counters.per_hour("a", 5, now=60) is None
    assert counters.per_hour("a", 6, now=120) == 60


def test_two_readings_at_once_tell_no_growth() -> None:
    """One packet between them would look like thousands an hour."""
    counters = Counters()
    counters.per_hour("a", 1, now=10)
    assert counters.per_hour("a", 2, now=10.5) is None


def test_readings_of_long_ago_are_forgotten() -> None:
    """The memory has a bound."""
    counters = Counters()
    for number in range(MOST + 1):
        counters.per_hour(number, 0, now=0)
    assert counters.per_hour(0, 1, now=10) is None
    assert counters.per_hour(2, 1, now=10) == 360


@given(st.lists(st.tuples(st.integers(0, 2**32), st.floats(0, 1e6)), max_size=20))
def test_growth_is_never_negative(readings: list[tuple[int, float]]) -> None:
    """Whatever an agent tells."""
    counters, now = Counters(), 0.0
    for value, seconds in readings:
        now += seconds
        growth = counters.per_hour("a", value, now)
        assert growth is None or growth >= 0
