"""Rules of runs: planned → leased → done | failed; a run ends in a snapshot that was read back, or in a reason."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import Field

from services.backup.sets.domain import Engine, ProtectionSet
from shared.events import Instant
from shared.events.backup import BackupCompleted, BackupFailed, Scope
from shared.resource import Resource

RunState = Literal["planned", "leased", "done", "failed"]


class Run(Resource):
    """One copy of a protection set, as the set was when the run was asked for."""

    id: str = Field(examples=["0199d6a0-7c3e-7a51-9f0e-6a1c52d7b201"])
    set_id: str
    system_id: str
    site_id: str = Field(examples=["north"])
    scope: Scope
    engine: Engine
    path: str
    repository: str
    state: RunState
    requested_by: str
    planned_at: Instant
    started_at: Instant | None = None
    finished_at: Instant | None = None
    attempts: int = 0
    engine_version: str | None = None
    snapshot_id: str | None = None
    bytes: int | None = Field(None, description="what the run added, before compression")
    total_bytes: int | None = None
    items: int | None = Field(None, description="files in the snapshot")
    encrypted: bool | None = None
    output_sha256: str | None = None
    exit_code: int | None = None
    reason: str | None = Field(None, description="why the run failed")


@dataclass(frozen=True)
class Lease:
    """A run that is one runner's alone for a while. ``repository_known``: runs ended well in its repository before."""

    run: Run
    id: str
    correlation_id: str
    traceparent: str | None
    repository_known: bool


@dataclass(frozen=True)
class Snapshot:
    """What the engine holds now, as it was read back."""

    snapshot_id: str
    bytes: int
    total_bytes: int
    items: int
    encrypted: bool
    engine_version: str
    exit_code: int
    output_sha256: str


@dataclass(frozen=True)
class Failure:
    """Why there is no snapshot that can be understood, for a person. ``exit_code`` is the engine's, if it ran."""

    reason: str
    exit_code: int | None
    output_sha256: str


def plan(run_id: str, protected: ProtectionSet, requested_by: str, now: datetime) -> Run:
    """A run of the set as it is now."""
    return Run(
        id=run_id,
        set_id=protected.id,
        system_id=protected.system_id,
        site_id=protected.site_id,
        scope=protected.scope,
        engine=protected.engine,
        path=protected.path,
        repository=protected.repository,
        state="planned",
        requested_by=requested_by,
        planned_at=now,
        version=1,
    )


def finish(run: Run, outcome: Snapshot | Failure, now: datetime) -> tuple[Run, BackupCompleted | BackupFailed]:
    """The run after its end, and the event that tells of it."""
    state: RunState = "failed" if isinstance(outcome, Failure) else "done"
    ended = run.model_copy(
        update={**vars(outcome), "state": state, "finished_at": now, "version": run.version + 1},
    )
    told = ended.model_dump() | {"run_id": ended.id}
    contract = BackupFailed if isinstance(outcome, Failure) else BackupCompleted
    return ended, contract.model_validate(told)
