"""What may be filed, about which moment, and how it ends."""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.probes.reports.domain import (
    OF_PERSON,
    OF_SITE,
    NewReport,
    Report,
    check_allowance,
    close,
    moment_of,
    words_of,
)
from services.probes.reports.text import DETAILS, LINE, on_one_line
from shared.errors import Conflict, Malformed, TooMany

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def told(**more: Any) -> NewReport:
    """A report as somebody types it."""
    return NewReport.model_validate({"site_id": "north", "summary": "Images load slowly"} | more)


@given(st.text(max_size=LINE), st.text(max_size=DETAILS))
def test_whatever_is_typed_is_kept_without_what_nobody_sees(summary: str, details: str) -> None:
    """The summary on one line."""
    assume(on_one_line(summary))
    report = told(summary=summary, details=details)
    assert report.summary == " ".join(report.summary.split())
    seen = report.summary + report.details.replace("\n", "")
    assert not {unicodedata.category(c) for c in seen if c not in "\u200c\u200d"} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_terminal_codes_and_turned_text_are_taken_out() -> None:
    """And the words stay, with accents and letters that are joined."""
    report = told(summary="\x1b[31mPACS\x00 lent\u202e\r\nà l'accueil", details="one\r\ntwo\tthree")
    assert report.summary == "[31mPACS lent à l'accueil"
    assert report.details == "one\ntwo three"


@pytest.mark.parametrize(
    ("field", "value"),
    [("summary", ""), ("summary", " \x00 "), ("summary", "x" * 201), ("details", "x" * 4001), ("place", "x" * 201)],
)
def test_text_is_bounded(field: str, value: str) -> None:
    """Each field by its name."""
    with pytest.raises(ValidationError) as refusal:
        told(**{field: value})
    assert refusal.value.errors()[0]["loc"] == (field,)


def test_moment_is_now_or_in_the_last_days() -> None:
    """A clock that is a little ahead means now."""
    assert moment_of(told(), NOW) == NOW
    assert moment_of(told(happened_at=NOW - timedelta(days=2)), NOW) == NOW - timedelta(days=2)
    assert moment_of(told(happened_at=NOW + timedelta(minutes=3)), NOW) == NOW
    for odd in (timedelta(minutes=6), -timedelta(days=8)):
        with pytest.raises(Malformed, match="happened_at"):
            moment_of(told(happened_at=NOW + odd), NOW)


def test_floods_are_refused_with_when_to_try_again() -> None:
    """Of one person, and of a site; one fewer is taken."""
    check_allowance(OF_PERSON.reports - 1, OF_SITE.reports - 1)
    with pytest.raises(TooMany, match="You have filed 5") as of_person:
        check_allowance(OF_PERSON.reports, 0)
    assert of_person.value.extra == {"retry_after_seconds": 600}
    with pytest.raises(TooMany, match="This site has filed 60"):
        check_allowance(0, OF_SITE.reports)


def test_report_is_closed_once() -> None:
    """With who, when and what came of it."""
    report = Report(
        **told().model_dump(exclude={"happened_at"}),
        id="r",
        version=1,
        asset_name="North archive",
        happened_at=NOW,
        filed_at=NOW,
        filed_by="vera",
        alert_id="a",
        sha256="",
    )
    closed = close(report, "A switch was replaced.", "otto", NOW)
    assert (closed.outcome, closed.closed_by, closed.closed_at, closed.version) == (
        *("A switch was replaced.", "otto", NOW),
        2,
    )
    with pytest.raises(Conflict, match=r"is closed: A switch was replaced\."):
        close(closed, "Again.", "otto", NOW)


def test_words_say_who_and_where() -> None:
    """In one line."""
    assert words_of("Images load slowly", "ED") == "Reported by staff: Images load slowly (ED)"
    assert words_of("Images load slowly", None) == "Reported by staff: Images load slowly"
