"""When a window may be, and how it goes on from there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.maintenance.fleet.domain import Site, System
from services.maintenance.windows import domain
from services.maintenance.windows.domain import Plan, State, Times, Window
from shared.errors import Conflict, Malformed, TooLarge
from shared.events import MAX_EVENT_BYTES, encode_unsequenced, with_sequence
from shared.events.maintenance import WindowCancelled, WindowRescheduled

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NORTH = Site(id="north", time_zone="Europe/Berlin", version=1)
ONE, TWO = "0199c3f2-7a51-7c3e-9d55-000000000001", "0199c3f2-7a51-7c3e-9d55-000000000002"
TIMES = Times(NOW + HOUR, NOW + 2 * HOUR)
MINUTES = st.integers(0, 600).map(lambda minutes: NOW + timedelta(minutes=minutes))
PERIODS = st.tuples(MINUTES, st.integers(1, 300)).map(lambda p: Times(p[0], p[0] + timedelta(minutes=p[1])))


def system(system_id: str = ONE, **fields: Any) -> System:
    """A system at north."""
    known: dict[str, Any] = {"site_id": "north", "name": "Archive", "state": "in_service", "version": 1}
    return System(id=system_id, **known | {"reported_version": "1.0"} | fields)


def plan(times: Times = TIMES, **fields: Any) -> Plan:
    """A plan for system ONE."""
    wanted: dict[str, Any] = {"site_id": "north", "title": "Upgrade", "reason": "fix", "impact": "OUTAGE"}
    wanted |= {"starts_at": times.starts_at, "ends_at": times.ends_at, "system_ids": [ONE], "contact": "4711"}
    return Plan.model_validate(wanted | fields)


def window(times: Times = TIMES, now: datetime = NOW, window_id: str = "w1", **fields: Any) -> Window:
    """A scheduled window."""
    known = [system(ONE), system(TWO)]
    return domain.schedule(plan(times, **fields), NORTH, known, window_id=window_id, now=now)


def in_state(state: State) -> Window:
    """A window that has come to ``state``."""
    scheduled = window()
    if state == "cancelled":
        return domain.cancel(scheduled, "withdrawn", NOW)
    if state == "scheduled":
        return scheduled
    started = scheduled.due_change(TIMES.starts_at)
    assert started is not None
    return started if state == "started" else domain.end_early(started, TIMES.starts_at)


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field"),
    [
        (NOW + HOUR, NOW + HOUR, "ends_at"),
        (NOW + 2 * HOUR, NOW + HOUR, "ends_at"),
        (NOW - timedelta(seconds=61), NOW + HOUR, "starts_at"),
        (NOW - timedelta(seconds=30), NOW - timedelta(seconds=10), "ends_at"),
        (NOW + HOUR, NOW + HOUR + timedelta(days=7, microseconds=1), "ends_at"),
        (NOW + timedelta(days=730), NOW + timedelta(days=732), "ends_at"),
    ],
)
def test_times_that_no_window_can_have_are_refused(starts_at: datetime, ends_at: datetime, field: str) -> None:
    """The refusal names the field, the rule and a time that would do."""
    with pytest.raises(Malformed) as refused:
        domain.check_times(Times(starts_at, ends_at), NOW)
    [error] = refused.value.extra["errors"]
    assert error["field"] == field
    assert datetime.fromisoformat(error["example"]) > NOW


def test_start_of_a_minute_ago_counts_as_now() -> None:
    """Who says "from now on" is not refused for the seconds that the request took."""
    assert domain.check_times(Times(NOW - timedelta(seconds=60), NOW + HOUR), NOW) == Times(NOW, NOW + HOUR)


@pytest.mark.parametrize(("day", "elapsed"), [((2026, 3, 29), 2 * HOUR), ((2026, 10, 25), 4 * HOUR)])
def test_window_over_a_change_of_clocks_has_its_elapsed_time(day: tuple[int, int, int], elapsed: timedelta) -> None:
    """From 1 to 4 o'clock in Berlin is two hours in spring and four in autumn; both are kept in UTC."""
    berlin = ZoneInfo("Europe/Berlin")
    local = Times(datetime(*day, 1, tzinfo=berlin), datetime(*day, 4, tzinfo=berlin))
    scheduled = window(local)
    assert scheduled.ends_at - scheduled.starts_at == elapsed
    assert scheduled.starts_at.utcoffset() == timedelta(0)


def test_end_that_is_later_only_on_the_wall_clock_is_refused() -> None:
    """2:15 in summer time is a quarter of an hour before 1:30 in winter time."""
    start = datetime.fromisoformat("2026-03-29T01:30:00+01:00")
    end = datetime.fromisoformat("2026-03-29T02:15:00+02:00")
    with pytest.raises(Malformed, match="ends_at"):
        window(Times(start, end))


@pytest.mark.parametrize(
    "fields",
    [
        {"starts_at": "9999-12-31T23:59:59-12:00"},
        {"ends_at": "9999-12-31T23:59:59Z"},
        {"starts_at": "0001-01-01T00:00:00+12:00"},
        {"starts_at": "2026-03-01T13:00:00"},
        {"starts_at": "tomorrow"},
        {"starts_at": float("inf")},
        {"impact": "SOME"},
        {"system_ids": []},
        {"system_ids": [ONE] * 101},
        {"system_ids": ["archive"]},
        {"title": "two\nlines"},
        {"reason": "  "},
        {"contact": "a\u0000b"},
        {"site_id": "North"},
        {"colour": "blue"},
    ],
)
def test_malformed_plan_is_refused(fields: dict[str, Any]) -> None:
    """Each field's own rule."""
    with pytest.raises(ValueError):
        plan(**fields)


def test_systems_must_be_known_here_and_named_once() -> None:
    """A system of another site is as unknown as none at all."""
    for known in ([], [system(site_id="south")]):
        with pytest.raises(Malformed, match="no system of site north"):
            domain.check_systems(plan(), known)
    with pytest.raises(Malformed, match="once"):
        domain.check_systems(plan(system_ids=[ONE, ONE.upper()]), [system()])


@pytest.mark.parametrize("state", ["closed", "cancelled"])
def test_no_work_is_planned_on_what_is_gone(state: str) -> None:
    """The refusal names the systems whose life is over."""
    with pytest.raises(Conflict) as refused:
        domain.check_systems(plan(system_ids=[TWO, ONE]), [system(state=state), system(TWO)])
    assert refused.value.extra == {"gone": [ONE]}


@given(PERIODS, PERIODS)
def test_windows_overlap_when_they_share_a_minute(one: Times, other: Times) -> None:
    """The rule agrees with counting, and does not depend on who asks."""

    def minutes(times: Times) -> set[datetime]:
        length = (times.ends_at - times.starts_at) // timedelta(minutes=1)
        return {times.starts_at + timedelta(minutes=minute) for minute in range(length)}

    assert one.overlaps(other) == bool(minutes(one) & minutes(other)) == other.overlaps(one)


def test_overlap_names_the_window_in_the_way() -> None:
    """Only live windows of a shared system stand in the way, and never the window itself."""
    mine = window(system_ids=[ONE, TWO])
    other = window(Times(NOW + HOUR / 2, NOW + 1.5 * HOUR), window_id="w2", title="Disks", system_ids=[TWO])
    with pytest.raises(Conflict) as refused:
        domain.check_free(mine, [mine, other])
    assert refused.value.extra["overlaps"]["window_id"] == "w2"
    assert refused.value.extra["overlaps"]["system_ids"] == [TWO]
    domain.check_free(window(system_ids=[ONE]), [other])
    domain.check_free(mine, [mine, domain.cancel(other, "withdrawn", NOW)])


LATER = Times(TIMES.starts_at, TIMES.ends_at + HOUR)
ALLOWED: dict[str, tuple[Callable[[Window], Window], set[str]]] = {
    "prolong": (lambda w: domain.reschedule(w, LATER, NOW), {"scheduled", "started"}),
    "move": (lambda w: domain.reschedule(w, Times(NOW + 3 * HOUR, NOW + 4 * HOUR), NOW), {"scheduled"}),
    "shorten": (lambda w: domain.reschedule(w, Times(TIMES.starts_at, TIMES.ends_at - HOUR / 2), NOW), {"scheduled"}),
    "cancel": (lambda w: domain.cancel(w, "withdrawn", NOW), {"scheduled"}),
    "end": (lambda w: domain.end_early(w, NOW + 1.5 * HOUR), {"started"}),
}


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("command", ALLOWED)
def test_each_state_allows_its_commands_only(command: str, state: State) -> None:
    """An open window can be prolonged and ended, a scheduled one all but ended, a closed one nothing."""
    run, states = ALLOWED[command]
    if state in states:
        assert run(in_state(state)).version == in_state(state).version + 1
    else:
        with pytest.raises(Conflict):
            run(in_state(state))


def test_open_window_is_not_prolonged_beyond_seven_days_or_into_the_past() -> None:
    """The rules of its end hold as at the beginning."""
    for ends_at, now in ((TIMES.starts_at + timedelta(days=7, seconds=1), NOW), (LATER.ends_at, NOW + 9 * HOUR)):
        with pytest.raises(Malformed, match="ends_at"):
            domain.reschedule(in_state("started"), Times(TIMES.starts_at, ends_at), now)


@given(st.lists(PERIODS, max_size=8), st.booleans())
def test_revision_counts_the_changes_people_are_told_of(moves: list[Times], cancelled: bool) -> None:
    """Each new pair of times and the cancellation is one revision; the same times again are none."""
    current, told = window(), 0
    for times in moves:
        told += times != current.times
        current = domain.reschedule(current, times, NOW)
    if cancelled:
        current = domain.cancel(current, "withdrawn", NOW)
        told += 1
    assert current.revision == told
    assert current.version == 1 + told


@given(PERIODS, st.lists(MINUTES))
def test_window_takes_its_steps_in_order_and_never_early(times: Times, looks: list[datetime]) -> None:
    """However late the schedule looks, a window is started before it is ended."""
    current = window(times)
    for now in sorted(looks):
        while (changed := current.due_change(now)) is not None:
            current = changed
        expected = "ended" if now >= times.ends_at else "started" if now >= times.starts_at else "scheduled"
        assert current.state == expected
    if current.started_at and current.ended_at:
        assert times.starts_at <= current.started_at <= current.ended_at


def test_largest_window_still_fits_every_later_event() -> None:
    """With the longest actor, reason and flow id no event of an accepted window passes 48 KiB."""
    systems = [system(f"0199c3f2-7a51-7c3e-9d55-{n:012}", name="𝄞" * 60) for n in range(100)]
    ids = [s.id for s in systems]
    low, high = 1, 10_000
    while low < high:
        middle = (low + high + 1) // 2
        asked = plan(reason="𝄞" * middle, system_ids=ids)
        try:
            domain.schedule(asked, NORTH, systems, window_id=ONE, now=NOW)
            low = middle
        except TooLarge:
            high = middle - 1
    assert 1 < low < 10_000
    asked = plan(reason="𝄞" * low, system_ids=ids)
    largest = domain.schedule(asked, NORTH, systems, window_id=ONE, now=NOW)
    cancelled = domain.cancel(largest, "𝄞" * 200, NOW).model_dump() | {"window_id": ONE}
    moved = cancelled | {"previous_starts_at": NOW, "previous_ends_at": NOW}
    for data in (WindowCancelled.model_validate(cancelled), WindowRescheduled.model_validate(moved)):
        body = encode_unsequenced(
            data,
            event_id=ONE,
            source="/services/maintenance",
            subject="n" * 63,
            time=NOW,
            site_id="n" * 63,
            actor="𝄞" * 255,
            correlation_id="c" * 100,
            causation_id=ONE,
            traceparent="0" * 55,
        )
        assert len(with_sequence(body, 10**19)) <= MAX_EVENT_BYTES
