"""The columns of index rows, each side by side as bytes: so a database gives them, and so they are made of events.

That takes a fraction of the time that rows would take. Numbers stand as PostgreSQL sends them (documentation of the
message formats): integers with their first byte first, times in µs since 2000.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain
from struct import Struct, pack

Columns = tuple[bytes, ...]
Layout = tuple[Struct, ...]

INDEX = Struct(">q")
EVENT: Layout = (INDEX, Struct(">q"), Struct(">qq"), Struct(">q"), Struct(">hhh"))
"""Of `events`: index; time; subject and actor; correlation; site, type and outcome."""

MENTION: Layout = (INDEX, Struct(">q"), Struct(">q"), Struct(">h"))
"""Of `mentions`: index, time, subject, site."""


_LOW_BYTES = [bytes((number,)) for number in range(256)]


def indexes(first: int, count: int) -> bytes:
    """The column of successive indexes; those of a whole bundle differ in their last bytes alone."""
    if first % 256 or count != 256:
        return bigints(range(first, first + count))
    high = first.to_bytes(INDEX.size)[:-1]
    return high + high.join(_LOW_BYTES)


def bigints(values: Sequence[int]) -> bytes:
    """A column of bigints, or of times."""
    return pack(f">{len(values)}q", *values)


def rows_of(columns: Columns, layout: Layout) -> Iterator[tuple[int, ...]]:
    """The values of each row."""
    parts = [struct.iter_unpack(column) for struct, column in zip(layout, columns, strict=True)]
    return (tuple(chain.from_iterable(row)) for row in zip(*parts, strict=True))


class Table:
    """Some rows by rising index, cut by entries."""

    def __init__(self, columns: Columns, layout: Layout) -> None:
        self._columns = [(column, struct.size) for column, struct in zip(columns, layout, strict=True)]
        self._indexes = columns[0]
        self._total = len(self._indexes) // INDEX.size

    def between(self, first: int, end: int) -> Columns:
        """The columns of the rows of entries from ``first`` up to and without ``end``."""
        begin, stop = self._before(first), self._before(end)
        return tuple([column[begin * width : stop * width] for column, width in self._columns])

    def _before(self, end: int) -> int:
        """How many rows are of entries before ``end``; where each entry has one row, that is soon found."""
        total = self._total
        guess = end - self._index(0) if total else 0
        is_right = 0 <= guess <= total and (guess == 0 or self._index(guess - 1) < end)
        if is_right and (guess == total or self._index(guess) >= end):
            return guess
        return bisect_left(range(total), end, key=self._index)

    def _index(self, number: int) -> int:
        index: int
        (index,) = INDEX.unpack_from(self._indexes, number * INDEX.size)
        return index
