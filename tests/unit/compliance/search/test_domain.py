"""Cursors, spans of time, and what is told of an access."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.index import read_event
from services.compliance.search.domain import Query, parse_outcomes, tell_parameters, tell_question
from services.compliance.search.places import Cursor, Days, Place, Span
from shared.errors import Malformed
from shared.events import encode_unsequenced
from shared.events.compliance import LogAccessed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIMES = st.datetimes(timezones=st.just(UTC))
PLACES = st.builds(Place, TIMES, st.integers(0, 2**63 - 1))
CURSORS = st.builds(Cursor, PLACES, st.booleans())


QUESTION = b"a question"


@given(CURSORS)
def test_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    """In characters that any address can hold."""
    text = cursor.write(QUESTION)
    assert Cursor.parse(text, QUESTION) == cursor
    assert text.replace("-", "").replace("_", "").isalnum()


@given(CURSORS, st.data())
def test_changed_cursor_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    """Whichever character it is."""
    text = cursor.write(QUESTION)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("AZaz09-_+/=ä").filter(lambda character: character != text[at]))
    with pytest.raises(Malformed, match="cursor"):
        Cursor.parse(text[:at] + other + text[at + 1 :], QUESTION)


@pytest.mark.parametrize("text", ["", "x", "====", "A" * 30, "A" * 200, "\ud800", "4711", "eyJhIjoxfQ"])
def test_foreign_cursor_is_refused(text: str) -> None:
    """With what to send instead."""
    with pytest.raises(Malformed, match=r"`next` or the `previous` of an answer"):
        Cursor.parse(text, QUESTION)


@given(CURSORS, st.binary(max_size=200).filter(lambda other: other != QUESTION))
def test_cursor_of_another_question_is_refused(cursor: Cursor, other: bytes) -> None:
    """Whatever that asked for."""
    with pytest.raises(Malformed, match="to the same question"):
        Cursor.parse(cursor.write(other), QUESTION)


def test_question_is_the_same_however_it_is_written() -> None:
    """The order of what may be given several times says nothing, nor does the zone of a time; all else does."""
    types = ("window.started", "window.ended", "patch.applied")
    query, span = Query(types=frozenset(types), actor="anna"), Span.between(NOON, None)
    asked = tell_question(query, span, "desc")
    zone = timezone(timedelta(hours=5))
    same = Query(types=frozenset(types[::-1]), actor="anna"), Span.between(NOON.astimezone(zone), None)
    assert tell_question(*same, "desc") == asked
    for other in (
        (Query(types=frozenset(types[:2]), actor="anna"), span, "desc"),
        (Query(not_types=frozenset(types), actor="anna"), span, "desc"),
        (Query(types=frozenset(types), subject="anna"), span, "desc"),
        (query, Span.between(None, NOON), "desc"),
        (query, Span.between(NOON, NOON + timedelta.resolution), "desc"),
        (query, span, "asc"),
    ):
        assert tell_question(*other) != asked


@given(PLACES, PLACES)
def test_cursor_parts_all_places_in_two(place: Place, bound: Place) -> None:
    """What lies on neither side, or on both, would be lost or shown twice."""

    def holds(span: Span) -> bool:
        return (span.lower is None or place >= span.lower) and (span.upper is None or place < span.upper)

    cursor = Cursor(bound, True)
    assert holds(Span().beyond(cursor)) != holds(Span().beyond(cursor.back))


@given(TIMES, TIMES, CURSORS)
def test_span_beyond_a_cursor_is_never_wider(begin: datetime, end: datetime, cursor: Cursor) -> None:
    """A cursor opens nothing that the question did not."""
    span = Span.between(begin, end)
    beyond = span.beyond(cursor)
    assert beyond.lower == max(filter(None, (span.lower, None if cursor.is_down else cursor.place)))
    assert beyond.upper == min(filter(None, (span.upper, cursor.place if cursor.is_down else None)))


@pytest.mark.parametrize("time", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOON])
@pytest.mark.parametrize("entry", [0, 1, 2**63 - 1])
def test_last_day_before_any_place_is_known(time: datetime, entry: int) -> None:
    """Also before the first moment that a calendar has, where there is none."""
    assert Place(time, entry).last_day == time.date()


def test_days_hold_a_period_and_say_whether_they_hold_more() -> None:
    """The end is not included, so midnight belongs to the day before."""
    midnight, day = NOON.replace(hour=0), timedelta(days=1)
    assert Days.of(midnight, midnight + day) == (midnight.date(), midnight.date(), True)
    assert Days.of(midnight, NOON) == (midnight.date(), midnight.date(), False)
    assert Days.of(NOON, None) == (midnight.date(), None, False)
    assert Days.of(None, None) == (None, None, True)
    assert Days.of(NOON, NOON).span == Span.between(midnight, midnight + day)
    assert Days.of(None, midnight).span == Span.between(None, midnight)


def test_outcomes_by_name_and_number() -> None:
    """Others are refused."""
    assert parse_outcomes(["success", "8"]) == {0, 8}
    for text in ("1", "", "Success", "٨"):
        with pytest.raises(Malformed, match="outcome"):
            parse_outcomes([text])


def test_digest_of_another_word_is_not_enough() -> None:
    """What the index gives is compared with the entry's own words."""
    raw = json.dumps(
        {
            "type": "window.started",
            "subject": "archive",
            "time": "2026-03-01T12:00:00Z",
            "siteid": "north",
            "actor": "anna",
            "correlationid": "night-17",
            "data": {"systems": [{"id": "archive-2"}], "note": "Über"},
        },
        ensure_ascii=False,
    ).encode()
    event = read_event(raw)
    met = {
        Query(): True,
        Query(subject="archive", actor="anna", correlation_id="night-17"): True,
        Query(subject="archive-2"): False,
        Query(about="archive"): True,
        Query(about="archive-2"): True,
        Query(about="archive-3"): False,
        Query(actor="bob"): False,
        Query(correlation_id="night-18"): False,
        Query(types=frozenset({"window.ended"})): False,
        Query(not_types=frozenset({"window.started"})): False,
        Query(outcomes=frozenset({8})): False,
        Query(text="ÜBER"): True,
        Query(text="nowhere"): False,
    }
    for query, is_met in met.items():
        assert query.is_met_by(event, raw) == is_met, query


@given(st.lists(st.tuples(st.text(max_size=400), st.text(max_size=400)), max_size=200))
def test_any_parameters_fit_into_an_event(given_parameters: list[tuple[str, str]]) -> None:
    """And what was not cut is told as it was given."""
    told, is_cut = tell_parameters(given_parameters)
    if not is_cut:
        assert [(name, value) for name, values in told.items() for value in values] == sorted(
            given_parameters, key=lambda pair: list(told).index(pair[0])
        )
    event(told, is_cut)


@pytest.mark.parametrize("character", ["a", "\x00", "ä", "\U0001f3e5", '"', "\ud800", "\u2028"])
def test_long_parameters_of_any_character_fit_into_an_event(character: str) -> None:
    """However many bytes JSON needs for it."""
    told, is_cut = tell_parameters([(f"name{number}", character * 250) for number in range(500)])
    assert is_cut
    assert told
    assert len(event(told, is_cut)) < 48 * 1024


def event(told: dict[str, list[str]], is_cut: bool) -> bytes:
    """The event of an access."""
    raw = encode_unsequenced(
        LogAccessed(what="query", parameters=told, is_cut=is_cut),
        event_id="0199c400-0000-7000-8000-000000000001",
        source="/services/compliance",
        subject="log",
        time=NOON,
        site_id="group",
        actor="ä" * 200,
        correlation_id="x" * 100,
        causation_id=None,
        traceparent=None,
    )
    msgspec.json.decode(raw)
    return raw
