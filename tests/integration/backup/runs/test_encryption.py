"""A backup counts as encrypted by what its repository shows, whatever anybody has set."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.backup.machine import PASSWORD, Machine, ask_for_run, completion_of, protect
from tests.integration.conftest import Run

PATIENT = b"PATIENT^NAMED^IN^CLEAR"

# Opens the repository with whatever password it is given: to its reader, one that is not locked at all.
ANY_PASSWORD = f'RESTIC_PASSWORD="{PASSWORD}" exec $restic "$@"'


@pytest.mark.seed("53")
async def test_encryption_is_proved_by_reading_the_repository(run: Run, machine: Machine) -> None:
    """The event says encrypted; no file of the repository holds what was backed up; without the password it is shut."""
    (machine.archive / "report.txt").write_bytes(PATIENT * 100)
    async with run(**machine.services()) as steward:
        told = await completion_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert told.encrypted
        seen = (await steward.admin.get(f"/backup/v1/runs/{told.run_id}")).json()
        assert seen["encrypted"] is True
    stored = [path.read_bytes() for path in files_of(machine)]
    assert stored
    assert not [data for data in stored if PATIENT in data or b"report.txt" in data]
    assert opens_with(machine, PASSWORD)
    assert not opens_with(machine, "another password")


async def test_repository_that_opens_with_any_password_is_not_called_encrypted(run: Run, machine: Machine) -> None:
    """The run is done and says so: nothing but the reading of the repository decides."""
    program = machine.script(ANY_PASSWORD)
    async with run(**machine.services(backup_restic=program)) as steward:
        told = await completion_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert not told.encrypted


def files_of(machine: Machine) -> list[Path]:
    """All files of all repositories."""
    return [path for path in machine.repositories.rglob("*") if path.is_file()]


def opens_with(machine: Machine, password: str) -> bool:
    """Whether restic itself opens the machine's one repository with ``password``."""
    [config] = machine.repositories.rglob("config")
    command = [machine.restic_program, "--repo", str(config.parent), "--no-cache", "cat", "config"]
    done = subprocess.run(command, env={"RESTIC_PASSWORD": password}, capture_output=True, check=False)
    return done.returncode == 0
