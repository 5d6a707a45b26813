"""Events of compliance: who may do what, and what befell the audit log."""

from typing import Literal

from shared.events.contract import EventData, Instant


class KeyChanged(EventData, event_type="key.changed", compacted=True, partitions=1):
    """An API key's full state; the subject is its id. ``sha256`` is the digest of the secret, never the secret.

    ``issued_by`` is who stands behind what is done with it; null in events of before that was told.
    """

    name: str
    sha256: str
    grants: list[str]
    expires_at: Instant
    revoked_at: Instant | None = None
    issued_by: str | None = None


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


class RetentionChanged(EventData, event_type="retention.changed", partitions=1):
    """How long entries of a site and type stay, from now on; null stands for all. Without ``days``, no more said."""

    site_id: str | None
    log_type: str | None
    days: int | None
    reason: str | None = None


class HoldChanged(EventData, event_type="hold.changed", partitions=1):
    """A legal hold was placed or released; the subject is its id."""

    state: Literal["placed", "released"]
    site_id: str | None
    log_type: str | None
    of_subject: str | None
    from_time: Instant | None
    to_time: Instant | None
    reason: str


class PartitionMoved(EventData):
    """The entries from ``first`` up to ``end``; ``root`` is the RFC 6962 root over them alone, in hexadecimal."""

    first: int
    end: int
    root: str
    location: str


class LogArchived(PartitionMoved, event_type="log.archived", partitions=1):
    """Entries were copied to an archive and read back from there. They are still in the log."""


class LogPruned(PartitionMoved, event_type="log.pruned", partitions=1):
    """Entries were dropped from the database; their leaf hashes stay. ``asked_by`` wanted it."""

    asked_by: str


class LogRestored(PartitionMoved, event_type="log.restored", partitions=1):
    """Pruned entries can be searched again until ``until``, when they are pruned again."""

    until: Instant
