"""Events of compliance: who may do what, and what befell the audit log."""

from typing import Literal

from shared.events.contract import EventData, Instant


class KeyChanged(EventData, event_type="key.changed", compacted=True, partitions=1):
    """An API key's full state; the subject is its id. ``sha256`` is the digest of the secret, never the secret."""

    name: str
    sha256: str
    grants: list[str]
    expires_at: Instant
    revoked_at: Instant | None = None


class EventsLost(EventData, event_type="log.events_lost", partitions=1):
    """The bus dropped messages that the audit log had not read: the offsets from ``first`` up to ``end``."""

    topic_name: str
    partition: int
    first: int
    end: int


class WitnessRefused(EventData, event_type="witness.refused", partitions=1):
    """A witness of the audit log does not cosign it at ``size`` entries; the subject is the witness."""

    witness: str
    size: int
    refusal: Literal["forked", "shrunk", "declined"]
    reason: str


class LogAccessed(EventData, event_type="log.accessed", partitions=1):
    """Somebody, the event's actor, was about to read the audit log; the answer is not told.

    ``what`` is how: ``query``, ``event``, ``counts``, ``life``, ``flow``, ``entries``, ``export``, ``fhir``…
    ``parameters`` are as they were given; ``is_cut`` where they were too long to be told in full.
    """

    what: str
    parameters: dict[str, list[str]]
    is_cut: bool = False
