"""Entries have one form, and whatever is not of that form is refused with the rule that it breaks."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.entry import MAX_ENTRY_BYTES, Entry, NotAnEntry, build_entry, parse_entry

WHEN = datetime(2026, 3, 1, 7, 30, 0, 250, tzinfo=UTC)
RAW = b'north 41 2026-03-01T07:30:00.000250Z\n{"specversion":"1.0"}'

entries = st.builds(
    Entry,
    site_id=st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True),
    site_sequence=st.integers(0, 2**63 - 1),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
    event=st.binary(min_size=1, max_size=300),
)


def test_entry_is_a_header_line_and_the_exact_event() -> None:
    """The example of the design, there and back."""
    entry = Entry("north", 41, WHEN, b'{"specversion":"1.0"}')
    assert build_entry(entry) == RAW
    assert parse_entry(RAW) == entry


def test_time_is_written_in_utc_with_six_digits() -> None:
    """Another offset and a whole second make no other form."""
    local = datetime(2026, 3, 1, 9, 0, tzinfo=timezone(timedelta(hours=2)))
    assert build_entry(Entry("north", 0, local, b"{}")).startswith(b"north 0 2026-03-01T07:00:00.000000Z\n")


@given(entries)
def test_what_is_built_parses_to_the_same(entry: Entry) -> None:
    """Any event's bytes come back untouched, line feeds and invalid UTF-8 included."""
    assert parse_entry(build_entry(entry)) == entry


@given(entries, st.data())
def test_what_parses_builds_to_the_same_bytes(entry: Entry, data: st.DataObject) -> None:
    """A mutated entry is refused, or it is another entry: no two byte strings mean the same."""
    raw = bytearray(build_entry(entry))
    place = data.draw(st.integers(0, min(len(raw), 90) - 1))
    raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        parsed = parse_entry(bytes(raw))
    except NotAnEntry:
        return
    assert build_entry(parsed) == bytes(raw)


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(raw: bytes) -> None:
    """No input makes the parser fail in another way."""
    with suppress(NotAnEntry):
        assert build_entry(parse_entry(raw)) == raw


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "line feed"),
        (RAW.replace(b"\n", b" "), "line feed"),
        (RAW.replace(b"north", b"North"), "must be: site-id SP"),
        (RAW.replace(b"north 41", b"north  41"), "must be: site-id SP"),
        (RAW.replace(b" 41 ", b" 041 "), "must be: site-id SP"),
        (RAW.replace(b" 41 ", b" -1 "), "must be: site-id SP"),
        (RAW.replace(b" 41 ", b" 9999999999999999999 "), "passes"),
        (RAW.replace(b"000250Z", b"00025Z"), "must be: site-id SP"),
        (RAW.replace(b"000250Z", b"000250+00:00"), "must be: site-id SP"),
        (RAW.replace(b"2026-03-01", b"2026-02-30"), "recorded-at"),
        (RAW.replace(b"T07:", b"T24:"), "recorded-at"),
        (RAW.replace(b"\n", b"\r\n"), "must be: site-id SP"),
        (RAW[: RAW.index(b"\n") + 1], "no event"),
        (RAW + b" " * MAX_ENTRY_BYTES, "the limit is 65535"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_rule(raw: bytes, rule: str) -> None:
    """The error says which part is wrong."""
    with pytest.raises(NotAnEntry, match=rule):
        parse_entry(raw)


def test_entry_that_would_not_parse_is_not_built() -> None:
    """The log can't be given an entry that nobody can read."""
    with pytest.raises(NotAnEntry):
        build_entry(Entry("north south", 0, WHEN, b"{}"))
    with pytest.raises(NotAnEntry, match="time zone"):
        build_entry(Entry("north", 0, WHEN.replace(tzinfo=None), b"{}"))
