"""Events of backup: can it come back."""

from typing import Literal

from shared.events.contract import EventData, Instant

Scope = Literal["database", "archive", "config"]


class BackupCompleted(EventData, event_type="backup.completed"):
    """A run that was read back as complete. ``bytes`` is what the run added to the repository, before compression,
    ``items`` the files it covers, ``total_bytes`` their size, ``output_sha256`` the digest of the engine's raw
    output."""

    run_id: str
    set_id: str
    scope: Scope
    engine: str
    engine_version: str
    repository: str
    snapshot_id: str
    bytes: int
    total_bytes: int
    items: int
    encrypted: bool
    started_at: Instant
    finished_at: Instant
    output_sha256: str


class BackupFailed(EventData, event_type="backup.failed"):
    """A run that did not end in a snapshot that can be understood. ``reason`` is for a person."""

    run_id: str
    set_id: str
    scope: Scope
    engine: str
    repository: str
    reason: str
    exit_code: int | None
    started_at: Instant
    finished_at: Instant
    output_sha256: str
