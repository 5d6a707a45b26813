"""What can be asked of the audit trail, and what an answer shows."""

import json
import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence, Set
from dataclasses import astuple, dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import msgspec
from pydantic import BaseModel, Field

from services.compliance.log.domain import Pruned
from services.compliance.log.entry import HEADER
from services.compliance.log.index import StoredEvent, microseconds, named_in, read_event
from services.compliance.log.outcome import Outcome, outcome_of
from services.compliance.log.tree import leaf_hash
from services.compliance.search.places import Cursor, Order, Span
from shared.errors import Malformed
from shared.events import Instant

Dimension = Literal["day", "type", "site"]

HEADER_LINE = re.compile(HEADER.pattern + rb"\n")

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


def tell_question(query: Query, span: Span, order: Order) -> bytes:
    """What is asked for, however it was written; on each page of an answer it is the same."""
    bounds = [bound and microseconds(bound.time) for bound in (span.lower, span.upper)]
    parts = [sorted(part) if isinstance(part, Set) else part for part in astuple(query)]
    return json.dumps([order, *bounds, *parts]).encode()


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


class SingleEvent(AuditedEvent):
    """An event by itself, with the newest ``checkpoint`` as in an EventPage."""

    checkpoint: str | None


class EventPage(BaseModel):
    """Events in the order asked for. ``next`` and ``previous`` are cursors of the pages beside this one, or null.

    ``checkpoint`` is the newest one with its cosignatures, a C2SP signed note; null as long as nothing was published.
    ``pruned`` tells which entries can't be found, because they lie in an archive: of the time that was asked for, whole
    partitions of the log, so perhaps none of these was sought.
    """

    items: list[AuditedEvent]
    next: str | None
    previous: str | None
    checkpoint: str | None
    pruned: list[Pruned]


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

    Counted were the first ``size`` entries of the log, without those that were ``pruned``, as an EventPage tells of
    them. ``checkpoint`` is the newest one of then, with its cosignatures; null as long as nothing was published.
    """

    items: list[Counted]
    first_day: date | None
    last_day: date | None
    is_exact: bool
    size: int = Field(examples=[4711])
    checkpoint: str | None
    pruned: list[Pruned]


class Shown(msgspec.Struct, gc=False):
    """An entry read: what an AuditedEvent or a SingleEvent shows, with the event's bytes as they are."""

    index: int
    site_id: str
    site_sequence: int
    recorded_at: datetime
    leaf_hash: str
    event: msgspec.Raw
    proof: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    checkpoint: str | msgspec.UnsetType | None = msgspec.UNSET


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

    span: Span = field(default_factory=Span)
    cursor: Cursor | None = None
    order: Order = "desc"
    limit: int = 100
    with_proofs: bool = False
    question: bytes = b""
    """What the cursors of the answer are bound to."""

    @property
    def is_down(self) -> bool:
        """Whether it is read from the upper end of its reach."""
        return self.cursor.is_down if self.cursor else self.order == "desc"

    @property
    def reach(self) -> Span:
        """What of the span lies on the cursor's side."""
        return self.span.beyond(self.cursor) if self.cursor else self.span


class FoundPage(NamedTuple):
    """A page, the newest checkpoint with its cosignatures, if any was published, and what was pruned of the time."""

    found: Found
    checkpoint: str | None
    pruned: Sequence[Pruned] = ()

    def answer(self, asked: PageAsked) -> bytes:
        """An EventPage in JSON. What lies on the other side of the cursor that was asked by is beside this page."""
        cursor, rest = asked.cursor, self.found.rest
        beside = cursor.back if cursor else None
        is_forward = cursor is None or cursor.is_down == (asked.order == "desc")
        following, previous = (rest, beside) if is_forward else (beside, rest)
        return msgspec.json.encode(
            {
                "items": self.found.items if is_forward else self.found.items[::-1],
                "next": following.write(asked.question) if following else None,
                "previous": previous.write(asked.question) if previous else None,
                "checkpoint": self.checkpoint,
                "pruned": self.pruned,
            }
        )


class Counting(NamedTuple):
    """Numbers of entries, among the first ``size`` of the log; the rest as on a page."""

    items: Sequence[Counted]
    size: int
    checkpoint: str | None
    pruned: Sequence[Pruned]


def tell_absence(what: str, pruned: Iterable[Pruned]) -> str:
    """That there is no such thing, and where it may be."""
    return "; ".join(
        [f"no {what}", *(f"entries {gap.first} to {gap.end - 1} were pruned, see {gap.location}" for gap in pruned)]
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
