"""The envelope: CloudEvents 1.0, structured JSON, one event a message (CloudEvents 1.0 §3, JSON format §3).

The relay adds the ``sequence`` to bytes that are otherwise final when the handler commits; after that nobody writes
the event anew, since the audit log hashes the very bytes that were on the wire.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from pydantic import ValidationError

from shared.errors import TooLarge, Unreadable
from shared.events.contract import CONTRACTS, SITE_ID, EventData

MAX_EVENT_BYTES = 48 * 1024
"""Largest event on the wire. tlog-tiles gives an entry 16 bits of length; this leaves room for the entry's header."""

SEQUENCE_DIGITS = 20
SEQUENCE_BYTES = len(b',"sequence":""') + SEQUENCE_DIGITS
MAX_CLOCK_LEAD = timedelta(days=1)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

END = r"$(?!\n)"
"""The end of a pattern, for Python as for ECMA 262: Python's ``$`` alone also stands before a last line feed."""

D = TypeVar("D", bound=EventData, covariant=True)
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
SOURCE = "/services/[a-z]+"
SEQUENCE = f"[0-9]{{{SEQUENCE_DIGITS}}}"


@dataclass(frozen=True, slots=True)
class Event(Generic[D]):
    """One event as read from the bus. ``raw`` is exactly what was on the wire."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    site_id: str
    actor: str
    correlation_id: str
    causation_id: str | None
    sequence: int
    traceparent: str | None
    data: D
    raw: bytes


def _shown(pattern: str) -> msgspec.Meta:
    """A pattern for the published schema alone: to have msgspec match it would take half the time of reading."""
    return msgspec.Meta(min_length=1, max_length=255, extra_json_schema={"pattern": f"^{pattern}{END}"})


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What stands around every event's data: the attributes of CloudEvents 1.0 §3 and Steward's extensions.

    Its patterns are checked by ``check_envelope``.
    """

    specversion: Literal["1.0"]
    id: Text
    source: Annotated[str, _shown(SOURCE)]
    type: Text
    subject: Text
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    dataschema: Text
    siteid: Annotated[str, _shown(SITE_ID)]
    actor: Text
    correlationid: Text
    sequence: Annotated[str, _shown(SEQUENCE)]
    data: msgspec.Raw
    causationid: Text | None = None
    traceparent: Text | None = None


_read_envelope = msgspec.json.Decoder(Envelope).decode


def encode_unsequenced(
    data: EventData,
    *,
    event_id: str,
    source: str,
    subject: str,
    time: datetime,
    site_id: str,
    actor: str,
    correlation_id: str,
    causation_id: str | None,
    traceparent: str | None,
) -> bytes:
    """The event's bytes but for its sequence. Raises TooLarge when the finished event would pass 48 KiB."""
    header: dict[str, str] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": data.event_type,
        "subject": subject,
        "time": time.isoformat().replace("+00:00", "Z"),
        "dataschema": data.dataschema(),
        "datacontenttype": "application/json",
        "siteid": site_id,
        "actor": actor,
        "correlationid": correlation_id,
    }
    if causation_id is not None:
        header["causationid"] = causation_id
    if traceparent is not None:
        header["traceparent"] = traceparent
    head = msgspec.json.encode(header)
    body = head[:-1] + b',"data":' + data.__pydantic_serializer__.to_json(data) + b"}"
    if len(body) + SEQUENCE_BYTES > MAX_EVENT_BYTES:
        raise TooLarge(
            f"the {data.event_type} event would have {len(body) + SEQUENCE_BYTES} bytes; "
            f"the limit is {MAX_EVENT_BYTES} (48 KiB). Store what is large by its SHA-256 and name that."
        )
    return body


def with_sequence(body: bytes, sequence: int) -> bytes:
    """The finished event: the same bytes, with ``sequence`` as the last member (CloudEvents sequence)."""
    return b'%s,"sequence":"%020d"}' % (body[:-1], sequence)


def read_envelope(raw: bytes, *, topic: str, now: datetime) -> tuple[Envelope, type[EventData]]:
    """A message's envelope and the contract that its data must keep. Raises Unreadable, as ``decode`` does."""
    if len(raw) > MAX_EVENT_BYTES:
        raise Unreadable(f"the message has {len(raw)} bytes; the limit is {MAX_EVENT_BYTES}")
    try:
        # What the decoder passes over it does not check for its encoding.
        raw.decode()
        envelope = _read_envelope(raw)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError) as exc:
        raise Unreadable(f"envelope: {exc}") from exc
    if envelope.type != topic:
        raise Unreadable(f"type: {envelope.type!r} does not belong on topic {topic!r}")
    contract = CONTRACTS.get(envelope.type)
    if contract is None or envelope.dataschema != contract.dataschema():
        raise Unreadable(f"dataschema: {envelope.dataschema!r} is not known here")
    check_envelope(envelope, now)
    return envelope, contract


def check_envelope(envelope: Envelope, now: datetime) -> None:
    """Raises Unreadable where an envelope breaks a rule that msgspec does not check."""
    if not _is_source(envelope.source):
        raise Unreadable(f"source: {envelope.source!r} must be a service's, for example '/services/inventory'")
    if not _is_site_id(envelope.siteid):
        raise Unreadable(f"siteid: {envelope.siteid!r} must be a site's short name, for example 'north'")
    if not _is_sequence(envelope.sequence):
        raise Unreadable(f"sequence: {envelope.sequence!r} must be {SEQUENCE_DIGITS} digits")
    if envelope.time - now > MAX_CLOCK_LEAD:
        raise Unreadable(f"time: {envelope.time.isoformat()} lies more than a day ahead of this clock")
    if envelope.time < EARLIEST:
        # A time of the year 1 may, by its zone, lie before all that calendars have; no clock shows one before this.
        raise Unreadable(f"time: {envelope.time.isoformat()} lies before {EARLIEST.year}")


@lru_cache(1024)
def _is_source(text: str) -> bool:
    return re.fullmatch(SOURCE, text) is not None


@lru_cache(4096)
def _is_site_id(text: str) -> bool:
    return re.fullmatch(SITE_ID, text) is not None


def _is_sequence(text: str) -> bool:
    return len(text) == SEQUENCE_DIGITS and text.isdecimal() and text.isascii()


def read_data(envelope: Envelope, contract: type[EventData]) -> EventData:
    """The data of an event. Raises Unreadable where it breaks its contract."""
    try:
        return contract.model_validate_json(memoryview(envelope.data).tobytes())
    except ValidationError as exc:
        raise Unreadable(f"data: {first_fault(exc)}") from exc


def decode(raw: bytes, *, topic: str, now: datetime) -> Event[EventData]:
    """Reads one message of ``topic``. Raises Unreadable with the field and the rule that it breaks."""
    envelope, contract = read_envelope(raw, topic=topic, now=now)
    return Event(
        id=envelope.id,
        source=envelope.source,
        type=envelope.type,
        subject=envelope.subject,
        time=envelope.time,
        site_id=envelope.siteid,
        actor=envelope.actor,
        correlation_id=envelope.correlationid,
        causation_id=envelope.causationid,
        sequence=int(envelope.sequence),
        traceparent=envelope.traceparent,
        data=read_data(envelope, contract),
        raw=raw,
    )


def first_fault(exc: ValidationError) -> str:
    """The first thing that a validation found wrong, as ``field: rule``, without the offending value."""
    fault = exc.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "message"
    return f"{where}: {fault['msg']}"
