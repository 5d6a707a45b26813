"""One entry of the audit log: a line that says whose it is and when it was recorded, then the event's exact bytes.

``site-id SP site-sequence SP recorded-at LF event``. Every entry has one form only: what parses is built again to the
same bytes, so no two readers can understand one entry differently.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import StewardError

MAX_ENTRY_BYTES = 0xFFFF
"""C2SP tlog-tiles gives the length of an entry 16 bits."""

MAX_HEADER_BYTES = 128
MAX_SEQUENCE = 2**63 - 1
SITE = re.compile(r"[a-z][a-z0-9-]{0,62}")
HEADER = re.compile(
    rb"(?P<site>" + SITE.pattern.encode() + rb") (?P<sequence>0|[1-9][0-9]{0,18}) "
    rb"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z)"
)


class NotAnEntry(StewardError):
    """The bytes are no entry; says which part breaks which rule."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``site_sequence`` counts the entries of its site from 0; ``recorded_at`` is UTC; ``event`` is as on the wire."""

    site_id: str
    site_sequence: int
    recorded_at: datetime
    event: bytes


def build_entry(entry: Entry) -> bytes:
    """The entry's bytes. Raises NotAnEntry when they would not parse again."""
    header = f"{entry.site_id} {entry.site_sequence} {format_time(entry.recorded_at)}"
    raw = b"%s\n%s" % (header.encode(), entry.event)
    parse_entry(raw)
    return raw


def parse_entry(raw: bytes) -> Entry:
    """Reads an entry. Raises NotAnEntry."""
    if len(raw) > MAX_ENTRY_BYTES:
        raise NotAnEntry(f"the entry has {len(raw)} bytes; the limit is {MAX_ENTRY_BYTES}")
    end = raw.find(b"\n", 0, MAX_HEADER_BYTES)
    if end < 0:
        raise NotAnEntry(f"the first {MAX_HEADER_BYTES} bytes hold no line feed that ends the header")
    match = HEADER.fullmatch(raw, 0, end)
    if match is None:
        raise NotAnEntry(f"the header {raw[:end]!r} must be: site-id SP site-sequence SP recorded-at")
    sequence = int(match["sequence"])
    if sequence > MAX_SEQUENCE:
        raise NotAnEntry(f"the site sequence {sequence} passes {MAX_SEQUENCE}")
    if end + 1 == len(raw):
        raise NotAnEntry("no event follows the header")
    return Entry(match["site"].decode(), sequence, _parse_time(match["time"].decode()), raw[end + 1 :])


def format_time(instant: datetime) -> str:
    """RFC 3339 in UTC, always with six digits of a second and ``Z``. Raises NotAnEntry for a time without zone."""
    if instant.utcoffset() is None:
        raise NotAnEntry("recorded-at must have a time zone")
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _parse_time(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise NotAnEntry(f"recorded-at {text}: {exc}") from exc
    if format_time(instant) != text:
        raise NotAnEntry(f"recorded-at {text} must be written {format_time(instant)}")
    return instant
