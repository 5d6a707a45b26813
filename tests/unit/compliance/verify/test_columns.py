"""The columns of index rows: made of many events at once they are what single rows are, and each is taken once."""

from collections.abc import Iterable
from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.compliance.log.index import StoredEvent, Told, index_row, mention_rows, microseconds
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
from tests.unit.compliance.log.test_columns import ODD, TIMES, UUIDS

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
