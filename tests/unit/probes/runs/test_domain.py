"""When probes are due."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.probes.kinds.domain import Observation
from services.probes.runs.domain import (
    LARGEST_SKEW,
    Probe,
    Turn,
    left_out,
    next_due,
    receive,
    slot_after,
    slot_until,
    take_turn,
)


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


zones = st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")).map(ZoneInfo)


@given(probe_ids, intervals, instants, zones)
def test_no_zone_and_no_summer_time_moves_a_slot(
    probe: str, interval: timedelta, now: datetime, zone: ZoneInfo
) -> None:
    """The same instant, told by any clock of the world, lies in the same slot."""
    assert slot_until(probe, interval, now.astimezone(zone)) == slot_until(probe, interval, now)


@given(probe_ids, intervals, instants, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_clock_that_was_set_back_changes_no_due_time(
    probe: str, interval: timedelta, now: datetime, back: timedelta
) -> None:
    """What is due later than now stays due then, and nothing is told as left out."""
    due_at = slot_after(probe, interval, now)
    made = probe_of(probe, interval, interval / 3)
    assert take_turn(made, due_at, now - back) == Turn(due_at, 0)


@given(probe_ids, intervals, instants, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_clock_that_leaps_ahead_leaves_one_run_and_a_count(
    probe: str, interval: timedelta, now: datetime, leap: timedelta
) -> None:
    """The run is that of the last regular time, less than an interval ago; the others are counted, not queued."""
    due_at = slot_after(probe, interval, now)
    turn = take_turn(probe_of(probe, interval, interval / 3), due_at, due_at + leap)
    assert turn.due_at <= due_at + leap < turn.due_at + interval
    assert due_at + turn.left_out * interval == turn.due_at


@dataclass(frozen=True)
class Seen:
    """What an agent brings."""

    probe_id: str
    due_at: datetime
    started_at: datetime = ORIGIN
    observation: Observation = Observation("ok", None, "it answered")  # noqa: RUF009 -- it is frozen


def test_agents_result_is_taken_once_and_in_order() -> None:
    """What is not later than the last is a repeat; what is not known is not taken."""
    brought = [Seen("p", ORIGIN), Seen("p", ORIGIN + HOUR), Seen("q", ORIGIN), Seen("p", ORIGIN + HOUR)]
    assert receive(brought, {"p": ORIGIN}, ORIGIN + HOUR) == ["repeated", "taken", "unknown", "repeated"]


def test_what_is_dated_into_the_future_is_not_taken() -> None:
    """A clock that was a year ahead must not make repeats of all that is seen in that year."""
    ahead = [Seen("p", ORIGIN + 365 * 24 * HOUR), Seen("p", ORIGIN, ORIGIN + HOUR), Seen("p", ORIGIN)]
    told = receive(ahead, {"p": ORIGIN - HOUR}, ORIGIN)
    assert told == ["from the future", "from the future", "taken"]
    assert receive([Seen("p", ORIGIN + LARGEST_SKEW)], {"p": ORIGIN}, ORIGIN) == ["taken"]
