"""A window's iCalendar object, read back by the library that calendars are read with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Event, vText

from services.notifier.announcements.calendar import Status, WindowWords, calendar_of, method_of
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.text import clean, one_line

BERLIN = ZoneInfo("Europe/Berlin")
STAMP = datetime(2026, 6, 1, 8, tzinfo=UTC)
ORGANIZER = Party("Steward", "steward@group.example")
READER = Party("Ana", "ana@north.example")
WORDS = WindowWords(
    window_id="7f3a",
    revision=0,
    title="Archive update",
    starts_at=datetime(2026, 6, 13, 20, tzinfo=UTC),
    ends_at=datetime(2026, 6, 14, 0, tzinfo=UTC),
    site_name="North Hospital",
    time_zone="Europe/Berlin",
    systems=("PACS archive", "Workstation server"),
    impact="OUTAGE",
    reason="Security update",
    contact="IT, +49 30 5550 100",
    status="CONFIRMED",
)
FIRST, LAST = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2099-01-01")
ODD_TEXTS = st.text(st.characters() | st.sampled_from('";:,\\\r\n\t\u2028\u0085\x00😀^'), max_size=300)


def written(words: WindowWords, attendee: Party = READER) -> str:
    return calendar_of(words, organizer=ORGANIZER, attendee=attendee, dtstamp=STAMP)


def read(text: str) -> tuple[Any, Any]:
    """Calendar and event, untyped: to the library's types a property could be any of thirty things."""
    calendar = Calendar.from_ical(text)
    [event] = calendar.walk("VEVENT")
    assert isinstance(event, Event)
    assert event.errors == []
    return calendar, event


def test_an_invitation_says_all_that_a_calendar_needs() -> None:
    calendar, event = read(written(WORDS))
    assert calendar["METHOD"] == "REQUEST"
    assert event["UID"] == "window-7f3a@group.example"
    assert event["SEQUENCE"] == 0
    assert event["STATUS"] == "CONFIRMED"
    assert event["SUMMARY"] == "Archive update"
    assert event["ORGANIZER"] == "mailto:steward@group.example"
    assert event["ATTENDEE"] == "mailto:ana@north.example"
    assert event["ATTENDEE"].params["RSVP"] == "FALSE"
    assert event.decoded("DTSTAMP") == STAMP
    assert (event.start, event.end) == (WORDS.starts_at, WORDS.ends_at)
    assert "DTSTART:20260613T200000Z\r\n" in written(WORDS)


def test_the_maintnote_properties_name_the_window_and_every_system() -> None:
    _, event = read(written(WORDS))
    names = ("PROVIDER", "ACCOUNT", "MAINTENANCE-ID", "IMPACT", "STATUS")
    values = [str(event[f"X-MAINTNOTE-{name}"]) for name in names]
    assert values == ["group.example", "North Hospital", "7f3a", "OUTAGE", "CONFIRMED"]
    assert [str(system) for system in event["X-MAINTNOTE-OBJECT-ID"]] == list(WORDS.systems)


def test_a_new_revision_keeps_uid_and_organizer_and_raises_the_sequence() -> None:
    _, first = read(written(WORDS))
    moved = replace(WORDS, revision=1, starts_at=WORDS.starts_at + timedelta(days=1), title="Another title")
    calendar, second = read(written(replace(moved, ends_at=WORDS.ends_at + timedelta(days=1))))
    assert calendar["METHOD"] == "REQUEST"
    assert (second["UID"], second["ORGANIZER"]) == (first["UID"], first["ORGANIZER"])
    assert second["SEQUENCE"] == 1


def test_a_cancellation_takes_the_same_entry_out_of_the_calendar() -> None:
    cancelled = replace(WORDS, revision=2, status="CANCELLED")
    calendar, event = read(written(cancelled))
    assert method_of(cancelled) == calendar["METHOD"] == "CANCEL"
    assert event["STATUS"] == event["X-MAINTNOTE-STATUS"] == "CANCELLED"
    assert (event["UID"], event["SEQUENCE"]) == ("window-7f3a@group.example", 2)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("TENTATIVE", "TENTATIVE"), ("IN-PROCESS", "CONFIRMED"), ("COMPLETED", "CONFIRMED")],
)
def test_a_state_that_calendars_do_not_know_stays_in_maintnote(status: Status, expected: str) -> None:
    _, event = read(written(replace(WORDS, status=status)))
    assert (event["STATUS"], event["X-MAINTNOTE-STATUS"]) == (expected, status)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN), "20260329T003000Z"),
        (datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN), "20260329T013000Z"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), "20261025T003000Z"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), "20261025T013000Z"),
    ],
)
def test_times_around_a_clock_change_are_written_in_utc(start: datetime, expected: str) -> None:
    starts_at = start.astimezone(UTC)
    text = written(replace(WORDS, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1)))
    assert f"DTSTART:{expected}\r\n" in text
    assert "TZID" not in text


def test_a_text_of_ten_thousand_characters_is_folded_and_read_back_whole() -> None:
    reason = "Überprüfung; Teil 1, 2\\3 😀\n" * 370
    text = written(replace(WORDS, title=reason))
    assert read(text)[1]["SUMMARY"] == reason
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_an_international_domain_is_written_in_a_labels() -> None:
    _, event = read(written(WORDS, Party("Ana", "ana@bücher.example")))
    assert event["ATTENDEE"] == "mailto:ana@xn--bcher-kva.example"


@given(title=ODD_TEXTS, system=ODD_TEXTS, reason=ODD_TEXTS, name=ODD_TEXTS)
def test_no_text_can_add_a_property_and_every_text_is_read_back(
    title: str, system: str, reason: str, name: str
) -> None:
    plain_event = read(written(WORDS))[1]
    words = replace(WORDS, title=title, systems=(system, "other"), reason=reason or "x", site_name=title)
    _, event = read(written(words, Party(name or "x", READER.address)))
    assert set(event) == set(plain_event)
    assert event["SUMMARY"] == clean(title)
    # The library hands out properties that it does not know as they stand on the wire.
    assert str(event["X-MAINTNOTE-OBJECT-ID"][0]) == vText(one_line(system)).to_ical().decode()
    assert clean(reason or "x") in event["DESCRIPTION"]
    assert event["ATTENDEE"] == "mailto:ana@north.example"


@given(st.datetimes(FIRST, LAST, timezones=st.timezones()), st.integers(0, 10_000))
def test_any_instant_and_revision_comes_back(start: datetime, revision: int) -> None:
    starts_at = start.astimezone(UTC).replace(microsecond=0)
    words = replace(WORDS, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), revision=revision)
    _, event = read(written(words))
    assert (event.start, event["SEQUENCE"]) == (starts_at, revision)


def test_the_same_arguments_give_the_same_text() -> None:
    assert written(WORDS) == written(replace(WORDS))
