"""The columns of index rows: made of many events at once they are what single rows are, and each is taken once."""

from collections.abc import Iterable
from datetime import UTC, datetime
from struct import pack

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.compliance.log.columns import all_microseconds, correlations
from services.compliance.log.index import StoredEvent, Told, correlation_digest, index_row, mention_rows, microseconds
from services.compliance.verify.columns import (
    EVENT,
    MENTION,
    Columns,
    Table,
    bigints,
    indexes,
    rows_of,
)
from services.compliance.verify.derived import derive
from services.compliance.verify.domain import Numbers

UUIDS = st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper())
ODD = (
    st.text(max_size=40)
    | UUIDS.map(lambda text: text[1:] + "-")
    | st.text("0123456789abcdef-_+ ", min_size=35, max_size=37)
)
TIMES = (
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes(datetime(1969, 1, 1), datetime(2001, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds
    | st.integers(0, 2**34).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
)
NUMBERS = Numbers({"north": 3, "south": 2**15 - 1}, {"probe.result": 0, "alert.raised": 7}, 512)


def mention_columns(indexes: list[int]) -> Columns:
    """Mentions of these entries, each with another subject."""
    numbers = range(len(indexes))
    return (bigints(indexes), bigints([0] * len(indexes)), bigints(numbers), pack(f">{len(indexes)}h", *numbers))


@given(st.lists(st.integers(-9, 400)).map(sorted), st.integers(-9, 400), st.integers(0, 400))
def test_the_rows_of_some_entries_are_cut(indexes: list[int], first: int, width: int) -> None:
    """Whether an entry has one row, none, or many."""
    columns = mention_columns(indexes)
    due = [row for row in rows_of(columns, MENTION) if first <= row[0] < first + width]
    assert list(rows_of(Table(columns, MENTION).between(first, first + width), MENTION)) == due


@pytest.mark.parametrize("indexes", [range(192), [*range(128), 127, 128], [*range(64), *range(65, 193)]])
def test_chunks_of_about_one_row_each_are_cut(indexes: Iterable[int]) -> None:
    """Where each entry has its row, where one has two and another none, where one lacks its own."""
    there = sorted(indexes)
    table = Table(mention_columns(there), MENTION)
    for first in (0, 64, 128):
        (found, *_) = table.between(first, first + 64)
        assert found == bigints([index for index in there if first <= index < first + 64])


@given(st.integers(0, 2**40), st.integers(0, 300))
@example(256, 256)
@example(2**40 - 256, 256)
def test_successive_indexes_are_bigints(first: int, count: int) -> None:
    """Also those of a whole bundle."""
    assert indexes(first, count) == bigints(range(first, first + count))


@given(st.lists(UUIDS, min_size=1, max_size=9) | st.lists(UUIDS | ODD, max_size=9))
def test_correlation_ids_have_the_same_digests_together_as_apart(texts: list[str]) -> None:
    """UUIDs, what only looks like one, and what makes its neighbours look like one."""
    assert correlations(texts) == bigints([correlation_digest(text) for text in texts])


@pytest.mark.parametrize("texts", [["0" * 35, "0" * 37], ["0" * 35 + "é", "0" * 36], ["0" * 8 + "é" + "0" * 26]])
def test_neighbours_do_not_pass_for_uuids_together(texts: list[str]) -> None:
    """Where only the sum of their lengths is that of UUIDs, in characters or in bytes."""
    assert correlations(texts) == bigints([correlation_digest(text) for text in texts])


@given(st.lists(TIMES, max_size=40))
def test_times_are_the_same_together_as_apart(instants: list[datetime]) -> None:
    """Before 1970 and before 2000, after 2514, and to the second: where MessagePack writes them otherwise."""
    assert list(all_microseconds(instants)) == [microseconds(instant) for instant in instants]


@pytest.mark.parametrize("count", [1, 15, 16, 256, 2**16])
def test_times_of_any_number_are_the_same_together_as_apart(count: int) -> None:
    """MessagePack says in one byte, in three or in five how many there are."""
    instant = datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC)
    assert list(all_microseconds([instant] * count)) == [-1] * count


def test_times_of_other_lengths_do_not_pass_for_each_other() -> None:
    """Five of six bytes and four of fifteen take as many as nine of ten."""
    instants = [datetime(2026, 1, 1, tzinfo=UTC)] * 5 + [datetime(1960, 1, 1, tzinfo=UTC)] * 4
    assert len(msgspec.msgpack.encode(instants)) == 1 + 9 * 10
    assert list(all_microseconds(instants)) == [microseconds(instant) for instant in instants]


EVENTS = st.builds(
    StoredEvent,
    type=st.sampled_from(["probe.result", "alert.raised"]),
    subject=st.text(max_size=9),
    time=TIMES,
    siteid=st.sampled_from(["north", "south"]),
    actor=st.text(max_size=9),
    correlationid=UUIDS | ODD,
    data=st.builds(
        Told,
        outcome=st.sampled_from(["ok", "failed", None, 1, True, []]),
        system_id=st.none() | st.text(max_size=3),
        systems=st.none() | st.lists(st.builds(lambda name: {"id": name}, st.text(max_size=3))),
    ),
)


@given(st.lists(EVENTS, min_size=1, max_size=9), st.integers(0, 2**62))
def test_rows_are_what_the_appender_writes(events: list[StoredEvent], first: int) -> None:
    """Each value of each row; the appender's are as COPY takes them, with the width before each value."""
    derived = derive(events, first, NUMBERS)
    rows = mentions = b""
    for index, event in enumerate(events, first):
        time, site, kind = microseconds(event.time), NUMBERS.sites[event.siteid], NUMBERS.types[event.type]
        rows += index_row(index, time, site, kind, event, event.data)
        mentions += mention_rows(index, time, site, event.data)
    assert b"".join(pack(">hiqiqiqiqiqihihih", 8, *_widened(row, 5)) for row in rows_of(derived.events, EVENT)) == rows
    assert b"".join(pack(">hiqiqiqih", 4, *_widened(row, 3)) for row in rows_of(derived.mentions, MENTION)) == mentions


def _widened(row: tuple[int, ...], bigint_count: int) -> list[int]:
    return [number for at, value in enumerate(row) for number in (8 if at < bigint_count else 2, value)]
