"""When probes are due."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.probes.runs.domain import Probe, left_out, next_due, slot_after, slot_until, take_turn


def probe_of(probe_id: str, interval: timedelta, retry_interval: timedelta) -> Probe:
    """A probe of that id and cadence."""
    return Probe(probe_id, "dicom-echo", "a", "north", None, "a", {}, interval, retry_interval, interval * 0.8)


ORIGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

probe_ids = st.uuids(version=4).map(lambda uuid: f"dicom-echo:{uuid}")
intervals = st.timedeltas(timedelta(milliseconds=100), timedelta(days=1))
instants = st.datetimes(datetime(2020, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- bounds are naive by contract


@given(probe_ids, intervals, instants)
def test_each_instant_lies_in_one_slot(probe: str, interval: timedelta, now: datetime) -> None:
    """The slot that has begun and the next one are one interval apart, and a slot is its own beginning."""
    begun = slot_until(probe, interval, now)
    assert begun <= now < slot_after(probe, interval, now)
    assert slot_after(probe, interval, now) - begun == interval
    assert slot_until(probe, interval, begun) == begun


@given(probe_ids, intervals, instants, st.integers(0, 1_000_000))
def test_slots_do_not_drift(probe: str, interval: timedelta, now: datetime, later: int) -> None:
    """A slot seen years later, after any restart, is a whole number of intervals away."""
    distant = min(now + later * interval, datetime(2199, 1, 1, tzinfo=UTC))
    apart = slot_until(probe, interval, distant) - slot_until(probe, interval, now)
    assert apart % interval == timedelta(0)


def test_probes_are_spread_over_the_interval() -> None:
    """Of 2,000 probes, each tenth of the interval gets its share."""
    interval = timedelta(seconds=60)
    seconds = [(slot_until(f"dicom-echo:{n}", interval, ORIGIN) - ORIGIN) % interval for n in range(2000)]
    tenths = Counter(second // timedelta(seconds=6) for second in seconds)
    assert len(tenths) == 10
    assert all(140 <= count <= 260 for count in tenths.values())


@given(probe_ids, intervals, st.lists(st.floats(0, 5), min_size=1, max_size=50))
def test_every_slot_is_run_once_or_told_as_left_out(probe: str, interval: timedelta, delays: list[float]) -> None:
    """However late the runs are claimed, none is doubled and none is forgotten."""
    made = probe_of(probe, interval, interval / 3)
    due_at = first = slot_after(probe, interval, ORIGIN)
    told = 0
    for delay in delays:
        turn = take_turn(made, due_at, due_at + delay * interval)
        assert turn.due_at >= due_at
        told += 1 + turn.left_out
        last, due_at = turn.due_at, next_due(made, turn.due_at, is_undecided=False)
        assert due_at > last
    assert told == (last - first) // interval + 1


@given(probe_ids, intervals, instants, st.floats(0.01, 3))
def test_undecided_probe_is_asked_again_soon_and_keeps_its_regular_times(
    probe: str, interval: timedelta, now: datetime, share: float
) -> None:
    """The retry comes after the retry interval or at the regular time, whichever is sooner."""
    made = probe_of(probe, interval, interval * share)
    regular = slot_after(probe, interval, now)
    retry = next_due(made, now, is_undecided=True)
    assert retry == min(now + made.retry_interval, regular)
    assert next_due(made, now, is_undecided=False) == regular


def test_a_run_that_is_a_little_late_is_made_and_one_that_is_too_late_is_left_out() -> None:
    """Less than an interval late is late; after that only the last regular time is run."""
    made = probe_of("p", HOUR, HOUR)
    due_at = slot_until("p", HOUR, ORIGIN)
    assert take_turn(made, due_at, due_at + HOUR * 0.99) == take_turn(made, due_at, due_at)
    turn = take_turn(made, due_at, due_at + 3.5 * HOUR)
    assert (turn.due_at, turn.left_out) == (due_at + 3 * HOUR, 3)
    assert left_out(3).outcome == "skipped"
    assert left_out(3).detail.startswith("3 runs were")
    assert left_out(1).detail.startswith("1 run was")
