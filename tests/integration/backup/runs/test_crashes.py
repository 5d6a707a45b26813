"""Runners that die, wait or compete: each run makes one snapshot and is told once."""

import os
import sys
from pathlib import Path
from typing import Any

from services.backup.runs import handlers
from services.backup.settings import BackupSettings
from shared.database import open_pool
from shared.settings import variable
from shared.transactions import begin
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.backup.machine import (
    PASSWORD,
    Gate,
    Machine,
    ask_for_run,
    completion_of,
    processes_with,
    protect,
    start,
    until_ended,
)
from tests.integration.conftest import Run, settings_for
from tests.news import until

BUSY_LEASE = 6
"""Seconds of a lease that its runner keeps on a busy machine too: it may be two thirds late with a renewal."""


def told(steward: Harness) -> list[str]:
    """The types of what backup has told so far."""
    return [event.type for event in steward.heard.events if event.source == "/services/backup"]


async def test_service_that_is_stopped_in_the_middle_ends_restic_and_the_next_one_makes_the_snapshot(
    run: Run, machine: Machine, gate: Gate
) -> None:
    """Stopping leaves no process; starting again makes one snapshot and one event under the same run."""
    services = machine.services(backup_restic=gate.program)
    async with run(**services) as steward:
        planned = await ask_for_run(steward, await protect(steward, machine.archive))
        await gate.reached()
    await until_ended(processes_with(machine.folder))
    async with run(**services) as steward:
        await gate.reached()
        gate.let_through()
        completed = await completion_of(steward, planned)
        assert (await steward.admin.get(f"/backup/v1/runs/{planned['id']}")).json()["attempts"] == 2
        assert told(steward) == ["backup.completed"]
    assert [found["id"] for found in machine.snapshots(f"run:{planned['id']}")] == [completed.snapshot_id]


async def test_restic_that_outlives_its_killed_service_is_awaited_and_not_repeated(
    run: Run, machine: Machine, gate: Gate, database: str, tmp_path: Path
) -> None:
    """SIGKILL of the service's process leaves restic working; the next service waits for it and tells its result."""
    more = machine.settings(backup_restic=gate.program, backup_lease=1)
    settings = settings_for(BackupSettings, "backup", database, tmp_path, **more)
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
    planned = await _plan(settings, protected["id"])
    process = start([sys.executable, "-m", "services.backup"], _environment(settings))
    try:
        await gate.reached()
    finally:
        process.kill()
        process.wait()
    assert processes_with(machine.folder)
    async with run(**machine.services(backup_restic=gate.program, backup_lease=1)) as steward:
        await until(steward.pools["backup"], "SELECT attempts >= 2 FROM runs WHERE id = $1", planned)
        gate.let_through()
        completed = await completion_of(steward, {"id": planned})
        assert told(steward) == ["backup.completed"]
    assert [found["id"] for found in machine.snapshots(f"run:{planned}")] == [completed.snapshot_id]


async def test_backup_whose_result_could_not_be_told_is_told_later_and_not_repeated(
    run: Run, machine: Machine, database: str
) -> None:
    """What restic left behind is read by the next attempt, here of another service; restic does not back up again."""
    backups = machine.folder / "backups"
    program = machine.script(f'case " $* " in *" backup --json "*) echo 1 >>{backups};; esac\nexec $restic "$@"')
    services = machine.services(backup_restic=program, backup_lease=BUSY_LEASE)
    async with run(**services) as steward:
        protected = await protect(steward, machine.archive)
        await execute(database, "ALTER TABLE backup.runs ADD CONSTRAINT untold CHECK (state <> 'done')")
        planned = await ask_for_run(steward, protected)
        await until(steward.pools["backup"], "SELECT attempts > 1 FROM runs")
        assert told(steward) == []
    await execute(database, "ALTER TABLE backup.runs DROP CONSTRAINT untold")
    async with run(**services) as steward:
        completed = await completion_of(steward, planned)
        assert told(steward) == ["backup.completed"]
    assert backups.read_text() == "1\n"
    assert [found["id"] for found in machine.snapshots(f"run:{planned['id']}")] == [completed.snapshot_id]


async def test_snapshot_whose_verdict_was_lost_fails_the_run_instead_of_making_a_second(
    run: Run, machine: Machine, gate: Gate
) -> None:
    """Without restic's exit code nobody knows whether the snapshot is complete."""
    async with run(**machine.services(backup_restic=gate.program)) as steward:
        planned = await ask_for_run(steward, await protect(steward, machine.archive))
        await gate.reached()
    machine.restic("backup", "--tag", f"run:{planned['id']}", str(machine.archive))
    async with run(**machine.services(backup_restic=gate.program)) as steward:
        failed = await steward.heard.until("backup.failed")
        assert "how restic ended was lost" in failed.data.reason
    assert len(machine.snapshots(f"run:{planned['id']}")) == 1


async def test_two_services_make_one_run_and_each_repository_has_one_at_a_time(
    run: Run, machine: Machine, gate: Gate
) -> None:
    """Two services with four runners each: one holds the gate, the other set of the same repository waits its turn."""
    program = gate.program
    services = machine.services(backup_restic=program, backup_parallel=4)
    async with run(**services) as steward, run(backup=services["backup"]):
        first = await ask_for_run(steward, await protect(steward, machine.archive))
        second = await ask_for_run(steward, await protect(steward, machine.archive))
        for planned in (first, second):
            await gate.reached()
            states = await steward.pools["backup"].fetch("SELECT state FROM runs WHERE state = 'leased'")
            assert len(states) == 1
            gate.let_through()
            await completion_of(steward, planned)
        assert told(steward) == ["backup.completed"] * 2
        attempts = await steward.pools["backup"].fetch("SELECT attempts FROM runs")
        assert [row["attempts"] for row in attempts] == [1, 1]


async def test_lease_is_renewed_while_restic_works(run: Run, machine: Machine, gate: Gate) -> None:
    """A run that takes longer than its lease stays with its runner, though others are there to take it."""
    services = machine.services(backup_restic=gate.program, backup_lease=BUSY_LEASE, backup_parallel=3)
    async with run(**services) as steward:
        pool = steward.pools["backup"]
        planned = await ask_for_run(steward, await protect(steward, machine.archive))
        await gate.reached()
        first = await pool.fetchval("SELECT leased_until FROM runs")
        await until(pool, "SELECT $1::timestamptz < now() FROM runs", first)
        gate.let_through()
        await completion_of(steward, planned)
        assert await pool.fetchval("SELECT attempts FROM runs") == 1


async def test_runner_that_lost_its_lease_stops_restic_and_tells_nothing(
    run: Run, machine: Machine, gate: Gate
) -> None:
    """Whoever holds the lease tells the result, and nobody else."""
    async with run(**machine.services(backup_restic=gate.program, backup_lease=1, backup_parallel=1)) as steward:
        pool = steward.pools["backup"]
        await ask_for_run(steward, await protect(steward, machine.archive))
        await gate.reached()
        processes = processes_with(machine.folder)
        await pool.execute("UPDATE runs SET lease_id = 'another', leased_until = now() + interval '1 hour'")

        await until_ended(processes)
        assert told(steward) == []


async def _plan(settings: BackupSettings, set_id: str) -> str:
    pool = await open_pool(settings.database, schema="backup", application="test")
    try:
        async with begin(pool, "backup", actor="olga") as tx:
            return (await handlers.plan_run(tx, set_id)).id
    finally:
        await pool.close()


def _environment(settings: BackupSettings) -> dict[str, str]:
    """The environment of a process of its own with these settings."""
    values: dict[str, Any] = {name: getattr(settings, name) for name in settings.model_fields_set}
    values |= {
        "backup_roots": ":".join(map(str, settings.backup_roots)),
        "backup_password": PASSWORD,
        "http_port": 0,
        "log_level": "error",
    }
    return {"PATH": os.defpath} | {variable(name): str(value) for name, value in values.items()}
