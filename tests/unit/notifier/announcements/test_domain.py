"""Which notices a window needs, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.announcements.domain import (
    Window,
    WindowNoticeKind,
    due_notices,
    is_sendable,
    planned_notices,
    reminder_due,
)
from shared.events.notifier import NoticeKind

START = datetime(2026, 6, 13, 20, tzinfo=UTC)
WINDOW = Window("w1", 0, START, START + timedelta(hours=4), START - timedelta(days=10))
FIRST, LAST = datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2028-01-01")
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC"]


def kinds(window: Window) -> list[str]:
    return [notice.kind for notice in planned_notices(window)]


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
    first, *rest = planned_notices(replace(WINDOW, scheduled_at=START - lead))
    assert [first.kind, *(notice.kind for notice in rest)] == expected
    assert first.due_at == START - lead
    assert first.breaches_lead_time is is_breach
    assert first.includes_reminder is (not rest)


@pytest.mark.parametrize("lead", [timedelta(days=10), timedelta(days=3), timedelta(hours=3)])
def test_a_new_revision_is_announced_as_a_change_and_judged_by_its_own_lead_time(lead: timedelta) -> None:
    first = planned_notices(replace(WINDOW, revision=1, scheduled_at=START - lead))[0]
    assert first.kind == "changed"
    assert first.breaches_lead_time is (lead < timedelta(days=7))
    assert first.includes_reminder is (lead <= timedelta(hours=24))


def test_nobody_is_told_of_a_start_or_a_finish_that_has_not_happened() -> None:
    assert kinds(WINDOW) == ["announcement", "reminder"]
    assert due_notices(WINDOW, WINDOW.ends_at + timedelta(days=1)) == ()


def test_a_start_and_a_finish_are_told_when_they_happen() -> None:
    started = replace(WINDOW, started_at=START + timedelta(minutes=3))
    assert [notice.kind for notice in due_notices(started, START + timedelta(minutes=3))] == ["announcement", "started"]
    ended = replace(started, ended_at=START + timedelta(hours=2))
    assert [notice.kind for notice in due_notices(ended, START + timedelta(hours=2))] == ["finished"]


def test_a_later_end_during_the_work_is_a_change_and_not_a_second_start() -> None:
    extended = replace(WINDOW, revision=1, started_at=START, scheduled_at=START + timedelta(hours=1))
    assert kinds(extended) == ["changed"]


def test_a_cancelled_window_needs_its_cancellation_and_nothing_else() -> None:
    cancelled = replace(WINDOW, revision=1, started_at=START, cancelled_at=START + timedelta(hours=1))
    assert kinds(cancelled) == ["cancelled"]
    assert [notice.kind for notice in due_notices(cancelled, START + timedelta(days=30))] == ["cancelled"]


def test_a_notice_of_an_older_revision_is_not_sent_any_more() -> None:
    reminder = planned_notices(WINDOW)[1]
    assert is_sendable(reminder, WINDOW, reminder.due_at)
    assert not is_sendable(reminder, replace(WINDOW, revision=1), reminder.due_at)


def test_a_notice_made_before_the_cancellation_is_not_sent_after_it() -> None:
    announcement = planned_notices(WINDOW)[0]
    assert not is_sendable(announcement, replace(WINDOW, cancelled_at=WINDOW.scheduled_at), START)


def test_a_reminder_is_not_sent_once_the_work_has_begun() -> None:
    reminder = planned_notices(WINDOW)[1]
    assert is_sendable(reminder, WINDOW, START - timedelta(seconds=1))
    assert not is_sendable(reminder, WINDOW, START)


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
    window = Window("w1", 0, start, start + timedelta(hours=1), scheduled)
    assert planned_notices(window)[0].kind == "short_notice"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="must name its offset"):
        Window("w1", 0, datetime(2026, 6, 13, 20), START, START)  # noqa: DTZ001 -- the naive time is the point


def test_the_kinds_are_those_of_the_contract() -> None:
    assert set(get_args(WindowNoticeKind)) == set(get_args(NoticeKind)) - {"alert_raised", "alert_resolved"}


@st.composite
def windows(draw: st.DrawFn) -> Window:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    start = draw(st.datetimes(FIRST, LAST, timezones=st.just(zone)))
    hours = st.timedeltas(timedelta(), timedelta(days=40))
    scheduled = start.astimezone(UTC) + draw(st.timedeltas(timedelta(days=-60), timedelta(days=1)))
    started = draw(st.none() | st.just(start))
    return Window(
        id="w1",
        revision=draw(st.integers(0, 5)),
        starts_at=start,
        ends_at=start.astimezone(UTC) + draw(hours),
        scheduled_at=scheduled,
        started_at=started,
        ended_at=draw(st.none() | st.just(start.astimezone(UTC) + draw(hours))) if started else None,
        cancelled_at=draw(st.none() | st.just(scheduled)),
    )


@given(windows())
def test_a_kind_is_planned_at_most_once_a_revision_and_in_the_order_of_time(window: Window) -> None:
    planned = planned_notices(window)
    assert len({notice.kind for notice in planned}) == len(planned)
    assert [notice.due_at for notice in planned] == sorted(notice.due_at for notice in planned)
    assert {(notice.window_id, notice.revision) for notice in planned} == {(window.id, window.revision)}


@given(windows())
def test_however_late_it_is_planned_people_are_told_and_the_breach_is_marked(window: Window) -> None:
    planned = planned_notices(window)
    if window.cancelled_at is not None:
        assert [notice.kind for notice in planned] == ["cancelled"]
        return
    [first] = [notice for notice in planned if notice.kind in ("announcement", "short_notice", "changed")]
    assert first.due_at == window.scheduled_at
    assert first.breaches_lead_time == (window.starts_at - window.scheduled_at < timedelta(days=7))


@given(windows())
def test_a_reminder_follows_exactly_when_nothing_else_serves_as_one(window: Window) -> None:
    planned = planned_notices(window)
    reminders = [notice for notice in planned if notice.kind == "reminder"]
    merged = [notice for notice in planned if notice.includes_reminder]
    assert len(reminders) + len(merged) == (0 if window.cancelled_at else 1)
    assert all(window.starts_at - notice.due_at == timedelta(hours=24) for notice in reminders)
    assert all(notice.due_at > window.scheduled_at for notice in reminders)


@given(windows(), st.timedeltas(timedelta(days=-90), timedelta(days=90)))
def test_what_is_due_was_planned_has_come_and_has_not_expired(window: Window, offset: timedelta) -> None:
    now = window.starts_at + offset
    for notice in due_notices(window, now):
        assert notice in planned_notices(window)
        assert notice.due_at <= now
        assert notice.expires_at is None or now < notice.expires_at
