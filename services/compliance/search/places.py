"""Where entries stand in the order of search, by the times of their events, and the bounds between them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from struct import Struct
from struct import error as StructError
from typing import Literal, NamedTuple

from services.compliance.log.index import instant_of, microseconds
from shared.errors import Malformed

Order = Literal["asc", "desc"]

_CURSOR = Struct(">B?qq")
_CURSOR_VERSION = 1
_CHECK_BYTES = 4
BAD_CURSOR = Malformed(
    "cursor", "must be the `next` or the `previous` of an answer to the same question, as it was", "leave it out"
)

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)


class Place(NamedTuple):
    """Where an entry stands in the order of search: by the time of its event, then by its index."""

    time: datetime
    entry: int

    @property
    def after(self) -> "Place":
        """The least place behind this one."""
        return self._replace(entry=self.entry + 1)

    @property
    def last_day(self) -> date:
        """The last day (UTC) with a place before this one."""
        is_within = self.entry > 0 or self.time == FIRST
        return (self.time if is_within else self.time - timedelta.resolution).date()


@dataclass(frozen=True, slots=True)
class Span:
    """The places from ``lower`` on, before ``upper``; None is no bound."""

    lower: Place | None = None
    upper: Place | None = None

    @classmethod
    def between(cls, begin: datetime | None, end: datetime | None) -> "Span":
        """From one time on, before another."""
        return cls(Place(begin, 0) if begin else None, Place(end, 0) if end else None)

    @property
    def is_empty(self) -> bool:
        """Whether there is no place in it."""
        return self.lower is not None and self.upper is not None and self.lower >= self.upper

    def until(self, day: date, *, is_down: bool) -> "Span":
        """What of it one passes from its upper end down, or else from its lower end up, until ``day`` has passed."""
        begin = datetime.combine(day, time.min, UTC)
        return self.beyond(Cursor(Place(begin if is_down else begin + timedelta(days=1), 0), not is_down))

    def beyond(self, cursor: "Cursor") -> "Span":
        """What of it lies on the cursor's side."""
        if cursor.is_down:
            return replace(self, upper=cursor.place if self.upper is None else min(self.upper, cursor.place))
        return replace(self, lower=cursor.place if self.lower is None else max(self.lower, cursor.place))


class Cursor(NamedTuple):
    """A bound between places, and on which side a page lies: down, before ``place``; else up, from there on."""

    place: Place
    is_down: bool

    @property
    def back(self) -> "Cursor":
        """The other side."""
        return self._replace(is_down=not self.is_down)

    @classmethod
    def beyond(cls, seen: Place, *, is_down: bool) -> "Cursor":
        """What follows behind ``seen`` in that direction."""
        return cls(seen if is_down else seen.after, is_down)

    def write(self, question: bytes) -> str:
        """As it stands in an answer to that question."""
        packed = _CURSOR.pack(_CURSOR_VERSION, self.is_down, microseconds(self.place.time), self.place.entry)
        return urlsafe_b64encode(packed + _check(packed, question)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str, question: bytes) -> "Cursor":
        """Reads a cursor. Raises Malformed for one that no answer to that question had."""
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            version, is_down, time, index = _CURSOR.unpack(raw[:-_CHECK_BYTES])
            cursor = cls(Place(instant_of(time), index), is_down)
        except (ValueError, OverflowError, StructError) as exc:
            raise BAD_CURSOR from exc
        if version != _CURSOR_VERSION or cursor.write(question) != text:
            raise BAD_CURSOR
        return cursor


def _check(packed: bytes, question: bytes) -> bytes:
    return sha256(b"cursor" + packed + question).digest()[:_CHECK_BYTES]


class Days(NamedTuple):
    """Whole days (UTC) that hold a period; ``is_exact`` when they hold no more."""

    first: date | None
    last: date | None
    is_exact: bool

    @classmethod
    def of(cls, begin: datetime | None, end: datetime | None) -> "Days":
        """The days from the one of ``begin`` to the last before ``end``."""
        last = Place(end, 0).last_day if end else None
        is_exact = all(bound is None or bound.time() == time.min for bound in (begin, end))
        return cls(begin.date() if begin else None, last, is_exact)

    @property
    def span(self) -> Span:
        """From the beginning of the first to the end of the last."""
        end = self.last and self.last + timedelta(days=1)
        return Span.between(_midnight(self.first), _midnight(end))


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time.min, UTC)
