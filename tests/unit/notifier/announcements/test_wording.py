"""A window's mails say what is affected, from when to when, what to do and whom to call."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from services.notifier.announcements.calendar import WindowWords
from services.notifier.announcements.wording import window_content
from shared.events.maintenance import Impact
from shared.events.notifier import WindowNoticeKind

WORDS = WindowWords(
    window_id="7f3a",
    revision=0,
    title="Archive update",
    starts_at=datetime(2026, 6, 13, 20, tzinfo=UTC),
    ends_at=datetime(2026, 6, 14, 0, 30, tzinfo=UTC),
    site_name="North Hospital",
    time_zone="Europe/Berlin",
    systems=("PACS archive", "Workstation server"),
    impact="OUTAGE",
    reason="Security update",
    contact="IT, +49 30 5550 100",
    status="CONFIRMED",
)


@pytest.mark.parametrize("kind", get_args(WindowNoticeKind))
def test_every_notice_names_site_systems_and_whom_to_call(kind: WindowNoticeKind) -> None:
    content = window_content(kind, WORDS)
    assert content.subject.startswith("[North Hospital] ")
    assert "PACS archive and Workstation server" in content.subject
    for part in (content.text, content.html):
        assert all(text in part for text in (*WORDS.systems, WORDS.contact, WORDS.title, "Work"))


@pytest.mark.parametrize("kind", ["announcement", "short_notice", "reminder", "changed", "started"])
def test_what_lies_ahead_is_told_with_both_ends_in_both_times(kind: WindowNoticeKind) -> None:
    content = window_content(kind, WORDS)
    for part in (content.text, content.html):
        assert "Sat 13 Jun 2026, 22:00 CEST (20:00 UTC)" in part
        assert "Sun 14 Jun 2026, 02:30 CEST (00:30 UTC), 4 h 30 min" in part
        assert "follow your downtime procedure" in part


@pytest.mark.parametrize("impact", get_args(Impact))
def test_what_to_do_depends_on_the_impact(impact: Impact) -> None:
    text = window_content("announcement", replace(WORDS, impact=impact)).text
    assert ("cannot be used" in text) == (impact == "OUTAGE")
    assert ("as usual" in text) == (impact in ("NO-IMPACT", "REDUCED-REDUNDANCY"))


def test_a_change_shows_the_times_before() -> None:
    day = timedelta(days=1)
    text = window_content("changed", WORDS, previous=(WORDS.starts_at - day, WORDS.ends_at - day)).text
    assert "Before:     Fri 12 Jun 2026, 22:00–02:30 CEST" in text


def test_a_cancellation_says_why_and_that_work_goes_on() -> None:
    text = window_content("cancelled", WORDS, cancellation_reason="The vendor withdrew the update.").text
    assert "Because:    The vendor withdrew the update." in text
    assert "Work as usual: the downtime will not take place" in text


def test_start_and_finish_are_told_as_they_happened() -> None:
    late = WORDS.starts_at + timedelta(minutes=30)
    started = window_content("started", WORDS, happened_at=late).text
    assert "From:       Sat 13 Jun 2026, 22:30 CEST (20:30 UTC)" in started
    assert "02:30 CEST (00:30 UTC), 4 h\n" in started
    finished = window_content("finished", WORDS, happened_at=WORDS.starts_at + timedelta(hours=1)).text
    assert "Finished:   Sat 13 Jun 2026, 23:00 CEST (21:00 UTC)" in finished


def test_many_systems_are_all_listed_but_not_in_the_subject() -> None:
    systems = tuple(f"System {number}" for number in range(30))
    content = window_content("announcement", replace(WORDS, systems=systems))
    assert "System 0 and 29 more" in content.subject
    assert all(system in content.text for system in systems)


def test_texts_of_ten_thousand_characters_leave_a_subject_that_can_be_read() -> None:
    content = window_content("announcement", replace(WORDS, title="x" * 10_000, systems=("y" * 10_000,), reason="ü;\n"))
    assert len(content.subject) <= 200
    assert content.subject.endswith("Sat 13 Jun 2026, 22:00–02:30 CEST")
    assert "x" * 10_000 in content.text


def test_a_window_without_contact_still_says_whom_to_call() -> None:
    assert "WHOM TO CALL\nYour IT service desk" in window_content("announcement", replace(WORDS, contact=" ")).text
