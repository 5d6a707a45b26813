"""The index row of an entry: what search finds it by. It is derived from the entry alone, and so can be checked.

Rows are built in the binary form of PostgreSQL's COPY (documentation of COPY, "Binary Format"): thousands are written
at a time.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import count, repeat
from struct import Struct
from typing import Annotated, Protocol

import msgspec

from services.compliance.log.outcome import outcome_of

EVENT_COLUMNS = ("index", "time", "subject", "actor", "correlation", "site", "type", "outcome")
MENTION_COLUMNS = ("index", "time", "subject", "site")
EVENT_ROW_BYTES = 80
_EVENT_ROW = Struct(">6sqiq28sq18s").pack
_EVENT_ROW_BEGIN = Struct(">hi").pack(len(EVENT_COLUMNS), 8)
_SUBJECT_AND_ACTOR = Struct(">iqiqi").pack
_NUMBERED = Struct(">ihihih").pack
_MENTION_ROW = Struct(">hiqiqiqih").pack
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

DAY = 86_400_000_000
"""How many microseconds it has."""

DIGEST_BYTES = 8
UUID_LENGTH = 36
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Told(msgspec.Struct, frozen=True, gc=False):
    """What the index takes of an event's data, whatever stands there."""

    outcome: object = None
    system_id: object = None
    systems: object = None


class Envelope(Protocol):
    """What the index takes of what stands around an event's data."""

    @property
    def type(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def time(self) -> datetime: ...

    @property
    def siteid(self) -> str: ...

    @property
    def actor(self) -> str: ...

    @property
    def correlationid(self) -> str: ...


class StoredEvent(msgspec.Struct, frozen=True, gc=False):
    """What the index takes of an event as an entry holds it."""

    type: str
    subject: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    siteid: str
    actor: str
    correlationid: str
    data: Told = Told()


read_event = msgspec.json.Decoder(StoredEvent).decode
read_events = msgspec.json.Decoder(StoredEvent).decode_lines
read_told = msgspec.json.Decoder(Told).decode


def index_row(index: int, time: int, site: int, kind: int, envelope: Envelope, told: Told) -> bytes:
    """The entry's row of ``events``, whose columns are EVENT_COLUMNS; ``time`` is that of the event in µs."""
    numbers = numbered(site, kind, outcome_of(envelope.type, told.outcome))
    names = subject_and_actor(envelope.subject, envelope.actor)
    return _EVENT_ROW(_EVENT_ROW_BEGIN, index, 8, time, names, correlation_digest(envelope.correlationid), numbers)


def index_rows(
    first: int, times: Iterable[int], names: Iterable[bytes], correlations: Iterable[int], numbers: Iterable[bytes]
) -> Iterator[bytes]:
    """The rows of successive entries from index ``first`` on, made of their parts."""
    return map(_EVENT_ROW, repeat(_EVENT_ROW_BEGIN), count(first), repeat(8), times, names, correlations, numbers)


def numbered(site: int, kind: int, outcome: int) -> bytes:
    """What a row has behind the correlation, widths included."""
    return _NUMBERED(2, site, 2, kind, 2, outcome)


@lru_cache(65_536)
def subject_and_actor(subject: str, actor: str) -> bytes:
    """What a row has between time and correlation, widths included: few subjects have most of the events."""
    return _SUBJECT_AND_ACTOR(8, digest(subject), 8, digest(actor), 8)


def mention_rows(index: int, time: int, site: int, told: Told) -> bytes:
    """The rows of ``mentions`` for one entry, in the order of the digests."""
    if told.system_id is None and told.systems is None:
        return b""
    subjects = sorted(_digest(name) for name in named_in(told))
    return b"".join([_MENTION_ROW(4, 8, index, 8, time, 8, subject, 2, site) for subject in subjects])


def named_in(told: Told) -> set[str]:
    """What an event tells of besides its subject."""
    named = {told.system_id} if isinstance(told.system_id, str) else set()
    if isinstance(told.systems, list):
        ids = [system.get("id") for system in told.systems if isinstance(system, dict)]
        named |= {system_id for system_id in ids if isinstance(system_id, str)}
    return named


def microseconds(instant: datetime) -> int:
    """An instant as PostgreSQL stores it: microseconds since 2000-01-01 UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(microseconds: int) -> datetime:
    """The instant that is stored so. Raises OverflowError for one that no calendar has."""
    return _EPOCH + timedelta(microseconds=microseconds)


@lru_cache(65_536)
def digest(text: str) -> int:
    """64 bits of a name's SHA-256, as a bigint. Who finds by it compares the name in the entry."""
    return _digest(text)


def _digest(text: str) -> int:
    """The same without memory, for names that may be of any length and seldom come again."""
    return int.from_bytes(sha256(text.encode()).digest()[:DIGEST_BYTES], signed=True)


def correlation_digest(text: str) -> int:
    """64 bits of a correlation id. Those of UUIDs rise with their time, so that new ones stand together in an index."""
    if len(text) == UUID_LENGTH:
        try:
            value = int(text[:8] + text[9:13] + text[32:], 16)
        except ValueError:
            return digest(text)
        return value - 2**64 if value >= 2**63 else value
    return digest(text)
