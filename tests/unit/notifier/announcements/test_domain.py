"""Which notices a window needs, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.announcements.domain import (
    Timetable,
    is_sendable,
    planned_notices,
    reminder_due,
)
from shared.events.notifier import WindowNoticeKind

START = datetime(2026, 6, 13, 20, tzinfo=UTC)
TIMETABLE = Timetable("w1", 0, START, START + timedelta(hours=4), START - timedelta(days=10))
FIRST, LAST = datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2028-01-01")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]


def kinds(timetable: Timetable) -> list[WindowNoticeKind]:
    return [notice.kind for notice in planned_notices(timetable)]


def sendable(timetable: Timetable, now: datetime) -> list[WindowNoticeKind]:
    return [notice.kind for notice in planned_notices(timetable) if is_sendable(notice, timetable, now)]


@pytest.mark.parametrize(
    ("lead", "expected", "is_breach"),
    [
        (timedelta(days=60), ["announcement", "reminder"], False),
        (timedelta(days=7), ["announcement", "reminder"], False),
        (timedelta(days=7) - timedelta(seconds=1), ["short_notice", "reminder"], True),
        (timedelta(hours=24, seconds=1), ["short_notice", "reminder"], True),
        (timedelta(hours=24), ["short_notice"], True),
        (timedelta(minutes=5), ["short_notice"], True),
        (timedelta(minutes=-5), ["short_notice"], True),
    ],
)
def test_the_lead_time_decides_what_goes_out(lead: timedelta, expected: list[str], is_breach: bool) -> None:
    first, *rest = planned_notices(replace(TIMETABLE, scheduled_at=START - lead))
    assert [first.kind, *(notice.kind for notice in rest)] == expected
    assert first.due_at == START - lead
    assert first.breaches_lead_time is is_breach
    assert first.includes_reminder is (not rest)


@pytest.mark.parametrize("lead", [timedelta(days=10), timedelta(days=3), timedelta(hours=3)])
def test_a_new_revision_is_announced_as_a_change_and_judged_by_its_own_lead_time(lead: timedelta) -> None:
    first = planned_notices(replace(TIMETABLE, revision=1, scheduled_at=START - lead))[0]
    assert first.kind == "changed"
    assert first.breaches_lead_time is (lead < timedelta(days=7))
    assert first.includes_reminder is (lead <= timedelta(hours=24))


def test_nobody_is_told_of_a_start_or_a_finish_that_has_not_happened() -> None:
    assert kinds(TIMETABLE) == ["announcement", "reminder"]
    assert sendable(TIMETABLE, TIMETABLE.ends_at + timedelta(days=1)) == []


def test_a_start_and_a_finish_are_told_when_they_happen() -> None:
    started = replace(TIMETABLE, started_at=START + timedelta(minutes=3))
    assert sendable(started, START + timedelta(minutes=3)) == ["announcement", "started"]
    ended = replace(started, ended_at=START + timedelta(hours=2))
    assert sendable(ended, START + timedelta(hours=2)) == ["finished"]


def test_a_later_end_during_the_work_is_a_change_and_not_a_second_start() -> None:
    extended = replace(TIMETABLE, revision=1, started_at=START, scheduled_at=START + timedelta(hours=1))
    assert kinds(extended) == ["changed"]


def test_a_cancelled_window_needs_its_cancellation_and_nothing_else() -> None:
    cancelled = replace(TIMETABLE, revision=1, started_at=START, cancelled_at=START + timedelta(hours=1))
    assert kinds(cancelled) == ["cancelled"]
    assert sendable(cancelled, START + timedelta(days=30)) == ["cancelled"]


def test_a_notice_of_an_older_revision_is_not_sent_any_more() -> None:
    reminder = planned_notices(TIMETABLE)[1]
    assert is_sendable(reminder, TIMETABLE, reminder.due_at)
    assert not is_sendable(reminder, replace(TIMETABLE, revision=1), reminder.due_at)


def test_a_notice_made_before_the_cancellation_is_not_sent_after_it() -> None:
    announcement = planned_notices(TIMETABLE)[0]
    assert not is_sendable(announcement, replace(TIMETABLE, cancelled_at=TIMETABLE.scheduled_at), START)


def test_a_reminder_is_not_sent_once_the_work_has_begun() -> None:
    reminder = planned_notices(TIMETABLE)[1]
    assert is_sendable(reminder, TIMETABLE, START - timedelta(seconds=1))
    assert not is_sendable(reminder, TIMETABLE, START)


@pytest.mark.parametrize(
    ("start", "reminder"),
    [
        (datetime(2026, 3, 29, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-03-28T11:00:00+01:00"),
        (datetime(2026, 10, 25, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-10-24T13:00:00+02:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1), "2026-10-24T01:30:00+00:00"),
        (datetime(2026, 10, 4, 12, tzinfo=ZoneInfo("Australia/Lord_Howe")), "2026-10-03T11:30:00+10:30"),
    ],
)
def test_over_a_clock_change_the_reminder_is_24_elapsed_hours_ahead(start: datetime, reminder: str) -> None:
    assert reminder_due(start) == datetime.fromisoformat(reminder)


def test_a_week_with_a_lost_hour_is_short_notice_though_the_wall_clock_says_seven_days() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    scheduled, start = datetime(2026, 3, 25, 12, tzinfo=berlin), datetime(2026, 4, 1, 12, tzinfo=berlin)
    timetable = Timetable("w1", 0, start, start + timedelta(hours=1), scheduled)
    assert planned_notices(timetable)[0].kind == "short_notice"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="must name its offset"):
        Timetable("w1", 0, datetime(2026, 6, 13, 20), START, START)  # noqa: DTZ001 -- the naive time is the point


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    start = draw(st.datetimes(FIRST, LAST, timezones=st.just(zone)))
    hours = st.timedeltas(timedelta(), timedelta(days=40))
    scheduled = start.astimezone(UTC) + draw(st.timedeltas(timedelta(days=-60), timedelta(days=1)))
    started = draw(st.none() | st.just(start))
    return Timetable(
        id="w1",
        revision=draw(st.integers(0, 5)),
        starts_at=start,
        ends_at=start.astimezone(UTC) + draw(hours),
        scheduled_at=scheduled,
        started_at=started,
        ended_at=draw(st.none() | st.just(start.astimezone(UTC) + draw(hours))) if started else None,
        cancelled_at=draw(st.none() | st.just(scheduled)),
    )


@given(timetables())
def test_a_kind_is_planned_at_most_once_a_revision_and_in_the_order_of_time(timetable: Timetable) -> None:
    planned = planned_notices(timetable)
    assert len({notice.kind for notice in planned}) == len(planned)
    assert [notice.due_at for notice in planned] == sorted(notice.due_at for notice in planned)
    assert {(notice.window_id, notice.revision) for notice in planned} == {(timetable.id, timetable.revision)}


@given(timetables())
def test_however_late_it_is_planned_people_are_told_and_the_breach_is_marked(timetable: Timetable) -> None:
    planned = planned_notices(timetable)
    if timetable.cancelled_at is not None:
        assert [notice.kind for notice in planned] == ["cancelled"]
        return
    [first] = [notice for notice in planned if notice.kind in ("announcement", "short_notice", "changed")]
    assert first.due_at == timetable.scheduled_at
    assert first.breaches_lead_time == (timetable.starts_at - timetable.scheduled_at < timedelta(days=7))


@given(timetables())
def test_a_reminder_follows_exactly_when_nothing_else_serves_as_one(timetable: Timetable) -> None:
    planned = planned_notices(timetable)
    reminders = [notice for notice in planned if notice.kind == "reminder"]
    merged = [notice for notice in planned if notice.includes_reminder]
    assert len(reminders) + len(merged) == (0 if timetable.cancelled_at else 1)
    assert all(timetable.starts_at - notice.due_at == timedelta(hours=24) for notice in reminders)
    assert all(notice.due_at > timetable.scheduled_at for notice in reminders)


@given(timetables(), st.timedeltas(timedelta(days=-90), timedelta(days=90)))
def test_a_planned_notice_may_go_out_from_its_due_time_until_it_expires(
    timetable: Timetable, offset: timedelta
) -> None:
    now = timetable.starts_at + offset
    for notice in planned_notices(timetable):
        has_expired = notice.expires_at is not None and now >= notice.expires_at
        assert is_sendable(notice, timetable, now) == (notice.due_at <= now and not has_expired)
