"""The rows that an index must have for entries, built anew from their events and compared as bytes."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from struct import Struct

from services.compliance.log.index import (
    EVENT_COLUMNS,
    MENTION_COLUMNS,
    StoredEvent,
    index_row,
    mention_rows,
    microseconds,
)
from services.compliance.verify.domain import Faulty, Kind, Numbers, Piece, Span, Totals

DAY = 86_400_000_000
EVENT = Struct(">hiqiqiqiqiqihihih")
MENTION = Struct(">hiqiqiqih")
INDEX_AT = 6
INDEX_BYTES = 8


def check_rows(
    events: Sequence[StoredEvent], recorded: tuple[str, str], piece: Piece, numbers: Numbers, totals: Totals
) -> None:
    """Compares the rows of the first entries of a piece, whose events these are, and adds them to the totals.

    ``recorded`` is when the first and the last of them were recorded. Raises Faulty.
    """
    if piece.rows is None or not events:
        return
    rows, mentions, times, days = [], [], [], []
    sites, types = numbers.sites, numbers.types
    for index, event in enumerate(events, piece.first):
        site, kind = sites.get(event.siteid), types.get(event.type)
        if site is None or kind is None:
            raise _unnumbered(index, event.siteid if site is None else event.type)
        time = microseconds(event.time)
        rows.append(index_row(index, time, site, kind, event, event.data))
        mentions.append(mention_rows(index, time, site, event.data))
        times.append(time)
        days.append((time // DAY, site, kind))
    end = piece.first + len(events)
    _compare(b"".join(rows), piece.rows.events, end, EVENT, EVENT_COLUMNS)
    _compare(b"".join(mentions), piece.rows.mentions, end, MENTION, MENTION_COLUMNS)
    totals.days.update(days)
    totals.extend(piece.first // numbers.partition_entries, Span(min(times), max(times), *recorded))


def _unnumbered(index: int, name: str) -> Faulty:
    return Faulty("name", index, index + 1, f"the index has no number for {name}")


class RowReader:
    """Rows by rising index, each ``width`` bytes wide, taken a few entries at a time."""

    def __init__(self, rows: bytes, width: int) -> None:
        self._rows = rows
        self._width = width
        self._taken = 0

    def upto(self, end: int) -> bytes:
        """The rows of entries before ``end`` that were not taken yet."""
        first, self._taken = self._taken, _count(self._rows, self._width, end, self._taken)
        return self._rows[first * self._width : self._taken * self._width]


def _count(rows: bytes, width: int, end: int, known: int = 0) -> int:
    """How many rows are of entries before ``end``, of which ``known`` are known to be."""
    return bisect_left(range(len(rows) // width), end, lo=known, key=lambda number: _index_at(rows, number * width))


def _index_at(rows: bytes, at: int) -> int:
    return int.from_bytes(rows[at + INDEX_AT : at + INDEX_AT + INDEX_BYTES], signed=True)


def _compare(due: bytes, stored: bytes, end: int, layout: Struct, columns: Sequence[str]) -> None:
    """Raises Faulty unless the rows of entries before ``end`` are those that are due."""
    if due == stored:
        return
    there = RowReader(stored, layout.size).upto(end)
    if due != there:
        raise _first_difference(_by_index(due, layout), _by_index(there, layout), columns)


def _by_index(rows: bytes, layout: Struct) -> dict[int, list[tuple[int, ...]]]:
    found: dict[int, list[tuple[int, ...]]] = {}
    for values in layout.iter_unpack(rows):
        found.setdefault(values[2], []).append(values[2::2])
    return found


def _first_difference(
    due: dict[int, list[tuple[int, ...]]], there: dict[int, list[tuple[int, ...]]], columns: Sequence[str]
) -> Faulty:
    index = min(index for index in due.keys() | there.keys() if due.get(index) != there.get(index))
    rows, stored = due.get(index, []), there.get(index, [])
    kind: Kind = "index" if "outcome" in columns else "mention"
    if len(stored) < len(rows):
        kind = "index-missing" if kind == "index" else "mention"
        return Faulty(kind, index, index + 1, f"{len(stored)} of its {len(rows)} rows are there")
    if len(stored) > len(rows):
        kind = "index-extra" if kind == "index" else "mention"
        return Faulty(kind, index, index + 1, f"it has {len(stored)} rows, and {len(rows)} are due")
    return Faulty(kind, index, index + 1, "; ".join(_differences(rows, stored, columns)))


def _differences(
    rows: Sequence[tuple[int, ...]], stored: Sequence[tuple[int, ...]], columns: Sequence[str]
) -> Iterator[str]:
    for row, other in zip(rows, stored, strict=True):
        for column, value, found in zip(columns, row, other, strict=True):
            if value != found:
                yield f"{column} is {found}, and follows from the entry to be {value}"
