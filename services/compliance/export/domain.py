"""What an export is of, and what an entry says in the terms that DICOM and FHIR share, whatever its format.

Both describe an audit record as an event with an action and an outcome, participants, a source and objects (DICOM
PS3.15 §A.5, FHIR R4 AuditEvent); their codes are mostly the same numbers.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.compliance.log.outcome import Outcome

Action = Literal["C", "R", "U", "D", "E"]
Interaction = Literal["create", "read", "update", "delete"]


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """An entry as it lies in the log: its index, its exact bytes, the hash of its leaf."""

    index: int
    raw: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """The entries from ``first`` up to ``end``, which were pruned, and where their archive is."""

    first: int
    end: int
    location: str


@dataclass(frozen=True, slots=True)
class Format:
    """How an export is written: what opens it, stands for an entry, and closes it.

    ``first`` stands before the first entry, ``between`` before every other. ``close`` is told how many there were, and
    what of the time that was asked for had been pruned; without what it gives, nobody can take a cut export for a whole
    one.
    """

    name: str
    media_type: str
    suffix: str
    write: Callable[[ShownEntry], bytes]
    close: Callable[[int, Sequence[Gap]], bytes]
    opening: bytes = b""
    first: bytes = b""
    between: bytes = b""


@dataclass(frozen=True, slots=True)
class Code:
    """A term of a vocabulary; ``meaning`` is what a person reads."""

    system: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Participant:
    """Who took part: a person, or a program by its key or as a service of Steward."""

    kind: Literal["person", "key", "service"]
    name: str
    is_requestor: bool

    @property
    def actor(self) -> str:
        """The participant as events name an actor."""
        return self.name if self.kind == "person" else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class AuditObject:
    """What the event is about: its subject, by what it is found. ``details`` name what else takes part in it.

    ``type`` and ``role`` are codes of PS3.15 §A.5.1.2, which FHIR has taken over.
    """

    type: int
    role: int
    kind: Code
    id: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One entry in terms of an audit record. ``interaction`` is set where a request over REST made the event."""

    index: int
    leaf_hash: bytes
    site_id: str
    site_sequence: int
    recorded_at: datetime
    event_id: str
    time: datetime
    event: Code
    kinds: tuple[Code, ...]
    action: Action
    interaction: Interaction | None
    outcome: Outcome
    reason: str | None
    participants: tuple[Participant, ...]
    service: str
    subject: AuditObject
    correlation_id: str


UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 §2.2 can't hold, not even escaped; FHIR's strings neither."""


def printable(text: str) -> str:
    """The text with U+FFFD for each character that XML and FHIR can't hold. The entry itself has the exact bytes."""
    return UNPRINTABLE.sub("\ufffd", text)
