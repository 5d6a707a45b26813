"""What can be asked of the audit trail, and what an answer shows."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from struct import Struct
from struct import error as StructError
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel, Field

from services.compliance.log.entry import HEADER
from services.compliance.log.index import StoredEvent, instant_of, microseconds, named_in, read_event
from services.compliance.log.outcome import Outcome, outcome_of
from services.compliance.log.tree import leaf_hash
from shared.errors import Malformed
from shared.events import Instant

Order = Literal["asc", "desc"]
Dimension = Literal["day", "type", "site"]

HEADER_LINE = re.compile(HEADER.pattern + rb"\n")

_CURSOR = Struct(">B?qq")
_CURSOR_VERSION = 1
_CHECK_BYTES = 4
BAD_CURSOR = Malformed("cursor", "must be the `next` or the `previous` of an answer, as it was", "leave it out")

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
TOLD_CHARACTERS = 300
TOLD_BYTES = 24 * 1024

OUTCOME_NAMES: dict[str, Outcome] = {"success": 0, "minor": 4, "serious": 8, "major": 12}


def parse_outcomes(texts: Iterable[str]) -> frozenset[Outcome]:
    """Outcomes by their names or numbers. Raises Malformed."""
    known = OUTCOME_NAMES | {str(outcome): outcome for outcome in OUTCOME_NAMES.values()}
    for text in texts:
        if text not in known:
            raise Malformed("outcome", f"must be one of {', '.join(OUTCOME_NAMES)}, or 0, 4, 8, 12", "serious")
    return frozenset(known[text] for text in texts)


class Kind(NamedTuple):
    """One site and one type."""

    site_id: str
    type: str


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries are sought; None leaves a part open.

    ``about`` is the subject of the entry or what else it tells of; ``text`` stands somewhere in the event's bytes,
    whatever its case.
    """

    site_id: str | None = None
    types: Set[str] | None = None
    not_types: Set[str] = frozenset()
    subject: str | None = None
    about: str | None = None
    actor: str | None = None
    outcomes: Set[Outcome] | None = None
    correlation_id: str | None = None
    text: str | None = None

    def kind_among(self, visible: Set[str] | None) -> Kind | None:
        """The one kind that is sought, of the sites that are visible, and nothing more; else None."""
        sites = {self.site_id} if self.site_id is not None else visible
        if sites is None or self.types is None or len(sites) != 1 or len(self.types) != 1:
            return None
        if self.has_words or self.not_types or self.outcomes is not None:
            return None
        return Kind(*sites, *self.types)

    @property
    def has_words(self) -> bool:
        """Whether the entries have to be asked, because the index alone can't tell."""
        return bool(self.subject or self.about or self.actor or self.correlation_id or self.text)

    def is_met_by(self, event: StoredEvent, raw: bytes) -> bool:
        """Whether an entry that the index gives is meant: the index has digests of words, and no text."""
        return (
            (self.types is None or event.type in self.types)
            and event.type not in self.not_types
            and (self.outcomes is None or outcome_of(event.type, event.data.outcome) in self.outcomes)
            and (self.subject is None or event.subject == self.subject)
            and (self.about is None or event.subject == self.about or self.about in named_in(event.data))
            and (self.actor is None or event.actor == self.actor)
            and (self.correlation_id is None or event.correlationid == self.correlation_id)
            and (self.text is None or self.text.casefold() in raw.decode(errors="replace").casefold())
        )


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

    def __str__(self) -> str:
        """As it stands in an answer."""
        packed = _CURSOR.pack(_CURSOR_VERSION, self.is_down, microseconds(self.place.time), self.place.entry)
        return urlsafe_b64encode(packed + _check(packed)).rstrip(b"=").decode()

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Reads a cursor. Raises Malformed for one that no answer had."""
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            version, is_down, time, index = _CURSOR.unpack(raw[:-_CHECK_BYTES])
            cursor = cls(Place(instant_of(time), index), is_down)
        except (ValueError, OverflowError, StructError) as exc:
            raise BAD_CURSOR from exc
        if version != _CURSOR_VERSION or str(cursor) != text:
            raise BAD_CURSOR
        return cursor


def _check(packed: bytes) -> bytes:
    return sha256(b"cursor" + packed).digest()[:_CHECK_BYTES]


class AuditedEvent(BaseModel):
    """An event in the audit trail, with its place there. ``leaf_hash`` is that of the entry, in Base64.

    ``proof`` is there when proofs were asked for: the inclusion proof under the answer's checkpoint (RFC 6962 §2.1.1),
    each hash in Base64; null for an entry that is newer than the newest checkpoint.
    """

    index: int = Field(examples=[4711])
    site_id: str = Field(examples=["north"])
    site_sequence: int = Field(examples=[12])
    recorded_at: Instant
    leaf_hash: str = Field(examples=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="])
    event: dict[str, Any]
    proof: list[str] | None = Field(None, examples=[["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]])


class EventPage(BaseModel):
    """Events in the order asked for. ``next`` and ``previous`` are cursors of the pages beside this one, or null.

    ``checkpoint`` is the newest one with its cosignatures, a C2SP signed note; null as long as nothing was published.
    """

    items: list[AuditedEvent]
    next: str | None
    previous: str | None
    checkpoint: str | None


class Counted(BaseModel):
    """How many entries have what the other members say; those that were not asked for are null."""

    day: date | None = Field(None, examples=["2026-03-01"])
    type: str | None = Field(None, examples=["patch.applied"])
    site_id: str | None = Field(None, examples=["north"])
    count: int = Field(examples=[17])


class Counts(BaseModel):
    """Numbers of entries, in the order of what they are counted by.

    They are of whole days (UTC) of the events' times, from ``first_day`` to ``last_day``, both included; null is no
    bound. ``is_exact`` is false when a bound that was asked for lies within a day, so that more was counted.
    """

    items: list[Counted]
    first_day: date | None
    last_day: date | None
    is_exact: bool


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


class Shown(msgspec.Struct, gc=False):
    """An entry read: what an AuditedEvent shows, with the event's bytes as they are."""

    index: int
    site_id: str
    site_sequence: int
    recorded_at: datetime
    leaf_hash: str
    event: msgspec.Raw
    proof: list[str] | msgspec.UnsetType | None = msgspec.UNSET


class Found(NamedTuple):
    """Entries of a page, and where the search goes on in its direction; None where it has come to the end."""

    items: Sequence[Shown]
    rest: Cursor | None


def show_entry(index: int, raw: bytes, query: Query) -> Shown | None:
    """The entry for people, if it is what the query seeks. Raises ValueError for what is no entry."""
    header = HEADER_LINE.match(raw)
    if header is None:
        raise ValueError(f"entry {index} has no header; run `steward log verify`")
    event = raw[header.end() :]
    if query.has_words and not query.is_met_by(read_event(event), event):
        return None
    site_id, sequence, recorded_at = header.groups()
    return Shown(
        index,
        site_id.decode(),
        int(sequence),
        datetime.fromisoformat(recorded_at.decode()),
        b2a_base64(leaf_hash(raw), newline=False).decode(),
        msgspec.Raw(event),
    )


@dataclass(frozen=True, slots=True)
class PageAsked:
    """Which page of what a query seeks."""

    span: Span = Span()
    cursor: Cursor | None = None
    order: Order = "desc"
    limit: int = 100
    with_proofs: bool = False

    @property
    def is_down(self) -> bool:
        """Whether it is read from the upper end of its reach."""
        return self.cursor.is_down if self.cursor else self.order == "desc"

    @property
    def reach(self) -> Span:
        """What of the span lies on the cursor's side."""
        return self.span.beyond(self.cursor) if self.cursor else self.span


class FoundPage(NamedTuple):
    """A page, and the newest checkpoint with its cosignatures, if any was published."""

    found: Found
    checkpoint: str | None

    def answer(self, asked: PageAsked) -> bytes:
        """An EventPage in JSON. What lies on the other side of the cursor that was asked by is beside this page."""
        cursor, rest = asked.cursor, self.found.rest
        beside = cursor.back if cursor else None
        is_forward = cursor is None or cursor.is_down == (asked.order == "desc")
        following, previous = (rest, beside) if is_forward else (beside, rest)
        return msgspec.json.encode(
            {
                "items": self.found.items if is_forward else self.found.items[::-1],
                "next": str(following) if following else None,
                "previous": str(previous) if previous else None,
                "checkpoint": self.checkpoint,
            }
        )


def tell_parameters(given: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], bool]:
    """Parameters as an event can hold them, and whether something was cut off for its length."""
    told: dict[str, list[str]] = {}
    left, is_cut = TOLD_BYTES, False
    for pair in given:
        name, value = (text[:TOLD_CHARACTERS].encode(errors="replace").decode() for text in pair)
        left -= len(json.dumps([name, value]))
        if left < 0:
            return told, True
        told.setdefault(name, []).append(value)
        is_cut |= any(len(text) > TOLD_CHARACTERS for text in pair)
    return told, is_cut
