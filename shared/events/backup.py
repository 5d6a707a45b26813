"""Events of backup: can it come back."""

from typing import Literal

from shared.events.contract import EventData, Instant

Scope = Literal["database", "archive", "config"]
Level = Literal["L0", "L1", "L2", "L3", "L4", "L5"]
"""How far a copy was proved: listed, metadata, checksums of a sample, read whole, restored, proven in use."""


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


class BackupVerified(EventData, event_type="backup.verified"):
    """A copy was looked at; the subject is the system.

    ``rule`` is whether the system meets its rule of copies (3-2-1) from now on, over all scopes, ``rule_reasons`` why
    not. ``report`` is the SHA-256 of what was seen.
    """

    verification_id: str
    set_id: str
    scope: Scope
    snapshot_id: str
    level: Level
    outcome: Literal["passed", "failed", "unknown"]
    detail: str
    verified_at: Instant
    data_through: Instant | None
    rule: Literal["met", "unmet", "unknown"]
    rule_reasons: list[str]
    report: str


class RestoreDrilled(EventData, event_type="restore.drilled"):
    """A restore was rehearsed; the subject is the system. Durations are seconds; ``report`` is a SHA-256."""

    drill_id: str
    scenario: str
    scope: Scope
    snapshot_id: str
    outcome: Literal["passed", "failed"]
    detail: str
    rto_seconds: float
    took_seconds: float
    rpo_seconds: float
    lost_seconds: float
    drilled_at: Instant
    report: str


class MigrationVerified(EventData, event_type="migration.verified"):
    """A migration's two sides were compared, study by study; the subject is the system that the studies leave.

    ``reconciled`` stands for each study alike on both sides; with ``reconciled_with_exceptions`` the clinical owner
    ``exceptions_signed_by`` has signed each one that is not. ``manifest`` is the SHA-256 of the whole comparison.
    """

    migration_id: str
    destination_system_id: str
    outcome: Literal["reconciled", "reconciled_with_exceptions", "unreconciled"]
    detail: str
    studies: int
    matched: int
    exceptions: int
    exceptions_signed_by: str | None
    verified_at: Instant
    manifest: str


class MediaSanitized(EventData, event_type="media.sanitized"):
    """A medium has its certificate of sanitization (NIST SP 800-88 Rev. 2); the subject is the medium.

    ``system_id`` is the system whose data it held. ``validated`` when somebody other than the verifier has validated
    it. ``certificate`` is the SHA-256 of the certificate.
    """

    certificate_id: str
    system_id: str | None
    manufacturer: str
    model: str
    serial_number: str
    media_type: str
    method: Literal["clear", "purge", "destroy"]
    technique: str
    verified_by: str
    validated_by: str | None
    validated: bool
    sanitized_at: Instant
    certificate: str
