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
    end = piece.first + len(events)
    sites, types = numbers.sites, numbers.types
    try:
        keys = [(microseconds(event.time), sites[event.siteid], types[event.type]) for event in events]
    except KeyError:
        raise _first_unnumbered(events, piece.first, numbers) from None
    told = list(zip(range(piece.first, end), keys, events, strict=True))
    rows = [index_row(index, time, site, kind, event, event.data) for index, (time, site, kind), event in told]
    mentions = [mention_rows(index, time, site, event.data) for index, (time, site, _), event in told]
    _compare(b"".join(rows), RowReader(piece.rows.events, EVENT.size).upto(end), EVENT, EVENT_COLUMNS)
    _compare(b"".join(mentions), RowReader(piece.rows.mentions, MENTION.size).upto(end), MENTION, MENTION_COLUMNS)
    totals.days.update([(time // DAY, site, kind) for time, site, kind in keys])
    times = [time for time, _, _ in keys]
    totals.extend(piece.first // numbers.partition_entries, Span(min(times), max(times), *recorded))


def _first_unnumbered(events: Sequence[StoredEvent], first: int, numbers: Numbers) -> Faulty:
    for index, event in enumerate(events, first):
        for name, known in ((event.siteid, numbers.sites), (event.type, numbers.types)):
            if name not in known:
                return Faulty("name", index, index + 1, f"the index has no number for {name}")
    raise ValueError("all have numbers")


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


def _compare(due: bytes, there: bytes, layout: Struct, columns: Sequence[str]) -> None:
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
