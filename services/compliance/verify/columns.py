"""The columns of index rows, each side by side as bytes: so a database gives them, and so they are made of events.

That takes a fraction of the time that rows would take. Numbers stand as PostgreSQL sends them (documentation of the
message formats): integers with their first byte first, times in µs since 2000.
"""

from binascii import Error, unhexlify
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from struct import Struct, pack

import msgspec

from services.compliance.log.index import UUID_LENGTH, correlation_digest, microseconds

Columns = tuple[bytes, ...]
Layout = tuple[Struct, ...]

INDEX = Struct(">q")
EVENT: Layout = (INDEX, Struct(">q"), Struct(">qq"), Struct(">q"), Struct(">hhh"))
"""Of `events`: index; time; subject and actor; correlation; site, type and outcome."""

MENTION: Layout = (INDEX, Struct(">q"), Struct(">q"), Struct(">h"))
"""Of `mentions`: index, time, subject, site."""

_KEPT_DIGITS = (*range(8), *range(9, 13), *range(32, 36))
_TO_2000 = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def bigints(values: Sequence[int]) -> bytes:
    """A column of bigints, or of times."""
    return pack(f">{len(values)}q", *values)


def correlations(texts: Sequence[str]) -> bytes:
    """The column of what `correlation_digest` makes of each; those of UUIDs are made together."""
    joined = "".join(texts).encode()
    if {*map(len, texts)} == {UUID_LENGTH} and len(joined) == UUID_LENGTH * len(texts):
        digits = bytearray(len(_KEPT_DIGITS) * len(texts))
        for place, at in enumerate(_KEPT_DIGITS):
            digits[place :: len(_KEPT_DIGITS)] = joined[at::UUID_LENGTH]
        try:
            return unhexlify(digits)
        except Error:
            pass
    return bigints([correlation_digest(text) for text in texts])


def all_microseconds(instants: Sequence[datetime]) -> Sequence[int]:
    """What `microseconds` makes of each, made together where all are written in MessagePack's "timestamp 64".

    Each then takes ten bytes: two that say so, 30 bits of nanoseconds, 34 bits of seconds since 1970. Side by side they
    are one large integer, which is reckoned with as a whole: no ten bytes overflow into those before.
    """
    written, count = msgspec.msgpack.encode(instants), len(instants)
    lanes = _lanes(count)
    if written[lanes.begin :: 10] != lanes.marks:
        return [microseconds(instant) for instant in instants]
    whole = int.from_bytes(written[lanes.begin :])
    since_1970 = (whole & lanes.seconds) * 1_000_000 + (whole >> 34 & lanes.nanoseconds) // 1000
    return lanes.unpack((since_1970 + lanes.to_2000).to_bytes(10 * count))


class _Lanes:
    """What `all_microseconds` needs for so many instants."""

    def __init__(self, count: int) -> None:
        ones = int.from_bytes((bytes(9) + b"\x01") * count)
        self.begin = 1 if count < 2**4 else 3 if count < 2**16 else 5
        self.marks = b"\xd7" * count
        self.seconds = ones * (2**34 - 1)
        self.nanoseconds = ones * (2**30 - 1)
        self.to_2000 = ones * (2**64 - _TO_2000)
        self.unpack = Struct(f">{count * '2xq'}").unpack


_lanes = lru_cache(16)(_Lanes)


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
