"""The rows that an index must have for entries, built anew from their events and compared as bytes."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from struct import Struct

from services.compliance.log.bundle import CHUNK
from services.compliance.log.index import EVENT_COLUMNS, MENTION_COLUMNS, StoredEvent
from services.compliance.verify.derived import derive
from services.compliance.verify.domain import Faulty, Kind, Numbers, Piece, Totals

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
    derived = derive(events, piece.first, numbers)
    end = piece.first + len(events)
    _compare(derived.events, piece.rows.events, end, EVENT, EVENT_COLUMNS)
    _compare(derived.mentions, piece.rows.mentions, end, MENTION, MENTION_COLUMNS)
    derived.add_to(totals, recorded, numbers)


class RowReader:
    """Rows by rising index, each ``width`` bytes wide, taken a few entries at a time."""

    def __init__(self, rows: bytes, width: int) -> None:
        self._rows = rows
        self._width = width
        self._taken = 0

    def upto(self, end: int) -> bytes:
        """The rows of entries before ``end`` that were not taken yet."""
        first, self._taken = self._taken, self._before(end)
        return self._rows[first * self._width : self._taken * self._width]

    def _before(self, end: int) -> int:
        """How many rows are of entries before ``end``; of a chunk, there mostly is one of each entry, or none."""
        total = len(self._rows) // self._width
        for guess in (self._taken, self._taken + CHUNK):
            is_behind = guess == self._taken or (guess <= total and self._index(guess - 1) < end)
            if is_behind and (guess == total or self._index(guess) >= end):
                return guess
        return bisect_left(range(total), end, lo=self._taken, key=self._index)

    def _index(self, number: int) -> int:
        at = number * self._width + INDEX_AT
        return int.from_bytes(self._rows[at : at + INDEX_BYTES], signed=True)


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
