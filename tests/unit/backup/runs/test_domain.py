"""How a run ends, and what is told of it."""

from datetime import UTC, datetime

from services.backup.runs.domain import Failure, Snapshot, finish, plan
from services.backup.sets.domain import ProtectionSet
from shared.events.backup import BackupCompleted, BackupFailed

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
SET = ProtectionSet(
    id="s",
    system_id="a",
    site_id="north",
    scope="archive",
    engine="restic",
    path="/srv/archive",
    repository="north-archive",
    version=4,
)
STARTED = plan("r", SET, "olga", NOW).model_copy(update={"started_at": NOW, "state": "leased", "version": 2})


def test_snapshot_makes_the_run_done_and_is_told_in_full() -> None:
    """Event and run agree."""
    run, event = finish(STARTED, Snapshot("e55d", 10, 20, 3, True, "0.14.0", 0, "ab"), NOW)
    assert (run.state, run.items, run.version, run.finished_at) == ("done", 3, 3, NOW)
    assert isinstance(event, BackupCompleted)
    assert (event.run_id, event.set_id, event.snapshot_id, event.bytes) == ("r", "s", "e55d", 10)


def test_failure_makes_the_run_failed_and_is_told_with_its_reason() -> None:
    """An engine that never ran has no exit code."""
    run, event = finish(STARTED, Failure("restic is not installed", None, "ab"), NOW)
    assert (run.state, run.reason, run.snapshot_id) == ("failed", "restic is not installed", None)
    assert isinstance(event, BackupFailed)
    assert (event.reason, event.exit_code) == ("restic is not installed", None)
