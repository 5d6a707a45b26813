"""What makes a backup fail, with the real restic: each failure says what to do, is told, and raises an alert."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.backup.machine import (
    PASSWORD,
    Machine,
    ask_for_run,
    completion_of,
    failure_of,
    processes_with,
    protect,
    start,
    until_ended,
)
from tests.integration.conftest import Run
from tests.parts.process import find_program

WITHOUT_PRIVILEGE = """
[ "$(id -u)" = 0 ] || exec $restic "$@"
exec setpriv --bounding-set=-all -- $restic "$@"
"""
"""restic as a user whom file modes bind; root is let past them by a capability, which this takes away."""


async def test_failed_run_raises_one_alert_and_the_next_completed_one_resolves_it(run: Run, machine: Machine) -> None:
    """Two failures are one alert; it is resolved by name."""
    hidden = machine.folder / "hidden"
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        machine.archive.rename(hidden)
        first = await ask_for_run(steward, protected)
        told = await failure_of(steward, first)
        assert "can't be found on the backup machine" in told.reason
        assert told.exit_code is None
        raised = await steward.heard.until("alert.raised")
        assert (raised.subject, raised.data.check) == (protected["system_id"], "backup")
        assert (raised.data.severity, raised.data.asset_name) == ("critical", "North archive")
        assert told.reason in raised.data.summary
        await failure_of(steward, await ask_for_run(steward, protected))
        hidden.rename(machine.archive)
        await completion_of(steward, await ask_for_run(steward, protected))
        resolved = await steward.heard.until("alert.resolved")
        assert resolved.data.alert_id == raised.data.alert_id
        assert [event.type for event in steward.heard.events].count("alert.raised") == 1
        assert resolved.correlation_id != raised.correlation_id
        assert (raised.actor, raised.causation_id) == ("service:backup", first["id"])


async def test_missing_restic_is_told_with_the_command_that_installs_it(run: Run, machine: Machine) -> None:
    """The service runs without restic; a run does not."""
    async with run(**machine.services(backup_restic="/nonexistent/restic")) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert "apt-get install restic" in told.reason


async def test_wrong_password_is_told_and_leaves_the_repository_alone(run: Run, machine: Machine) -> None:
    """A repository that was made with another password is not touched."""
    machine.restic("init")
    async with run(**machine.services(backup_password="another")) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert "wrong password" in told.reason
        assert told.exit_code not in (0, None)
        assert "another" not in told.reason
    assert machine.restic("list", "snapshots") == ""


async def test_archive_without_a_file_is_no_backup(run: Run, machine: Machine) -> None:
    """restic is content with folders; we are not."""
    empty = machine.folder / "archive" / "empty"
    (empty / "series").mkdir(parents=True)
    async with run(**machine.services()) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, empty)))
        assert "holds no file" in told.reason


async def test_path_that_became_a_link_out_of_the_roots_is_not_followed(run: Run, machine: Machine) -> None:
    """The roots hold when restic starts, not only when the set was made."""
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        shutil.rmtree(machine.archive)
        machine.archive.symlink_to("/etc")
        told = await failure_of(steward, await ask_for_run(steward, protected))
        assert "must lie below an allowed root" in told.reason
    assert not machine.repositories.exists()


async def test_unreadable_file_makes_the_backup_incomplete_and_is_named(run: Run, machine: Machine) -> None:
    """restic's exit code 3, from a file that it really may not read."""
    secret = machine.archive / "series" / "3.dcm"
    secret.write_bytes(b"x")
    secret.chmod(0)
    async with run(**machine.services(backup_restic=machine.script(WITHOUT_PRIVILEGE))) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert told.exit_code == 3
        assert "incomplete" in told.reason
        assert str(secret) in told.reason


@pytest.fixture
def small_disk(machine: Machine) -> Iterator[Machine]:
    """The machine with 3 MiB for its repositories: a tmpfs, which only root may mount."""
    machine.repositories.mkdir()
    mount = find_program("mount", package="mount")
    subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "steward", machine.repositories], check=True)
    try:
        yield machine
    finally:
        subprocess.run([find_program("umount", package="mount"), machine.repositories], check=True)


def _remount(machine: Machine, size: str) -> None:
    subprocess.run(
        [find_program("mount", package="mount"), "-o", f"remount,size={size}", machine.repositories], check=True
    )


async def test_full_disk_is_told_and_the_same_set_completes_once_there_is_room(run: Run, small_disk: Machine) -> None:
    """A real file system runs out of space under restic."""
    machine = small_disk
    (machine.archive / "large.dcm").write_bytes(os.urandom(8_000_000))
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        told = await failure_of(steward, await ask_for_run(steward, protected))
        assert "no space left on device" in told.reason
        assert told.exit_code == 1
        _remount(machine, "64m")
        completed = await completion_of(steward, await ask_for_run(steward, protected))
        assert completed.items == len(machine.files())


async def test_lock_of_a_living_process_fails_the_run_and_that_of_a_dead_one_does_not(
    run: Run, machine: Machine
) -> None:
    """Only stale locks are removed. A restic that changes the password holds its lock while it reads the new one."""
    machine.restic("init")
    pipe = machine.folder / "new-password"
    os.mkfifo(pipe)
    holder = start(
        [
            *(machine.restic_program, "--repo", machine.repositories / "north/north-archive", "--no-cache"),
            *("key", "passwd", "--new-password-file", pipe),
        ],
        {"PATH": os.defpath, "RESTIC_PASSWORD": PASSWORD},
    )
    try:
        async with run(**machine.services()) as steward:
            # Whoever opens a pipe to write waits for its reader.
            with await asyncio.to_thread(pipe.open, "wb"):
                protected = await protect(steward, machine.archive)
                told = await failure_of(steward, await ask_for_run(steward, protected))
                assert "another process holds the repository" in told.reason
                holder.kill()
                holder.wait()
            await completion_of(steward, await ask_for_run(steward, protected))
    finally:
        holder.kill()
        holder.wait()


async def test_repository_that_held_backups_and_is_gone_is_not_begun_anew(run: Run, machine: Machine) -> None:
    """A disk that is not mounted must not look like a first backup."""
    async with run(**machine.services()) as steward:
        protected = await protect(steward, machine.archive)
        await completion_of(steward, await ask_for_run(steward, protected))
        shutil.rmtree(machine.repositories)
        told = await failure_of(steward, await ask_for_run(steward, protected))
        assert "is its disk mounted?" in told.reason
    assert not machine.repositories.exists()


async def test_folder_that_is_no_repository_is_left_alone(run: Run, machine: Machine) -> None:
    """restic is not let into somebody's folder."""
    mine = machine.repositories / "north" / "north-archive"
    mine.mkdir(parents=True)
    (mine / "holiday.jpg").write_bytes(b"sun")
    async with run(**machine.services()) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert "is not empty and no restic repository" in told.reason
    assert [path.name for path in mine.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize("instead", ['printf \'{"message_type":"summary"}\\n\'', "echo saved", ":"])
async def test_backup_that_cannot_be_understood_is_a_failed_backup(run: Run, machine: Machine, instead: str) -> None:
    """A restic that ends well but does not say what it did; all its other commands are real."""
    program = machine.script(f'case " $* " in *" backup --json "*) {instead}; exit 0;; esac\nexec $restic "$@"')
    async with run(**machine.services(backup_restic=program)) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert "summar" in told.reason


async def test_run_that_takes_too_long_is_stopped_with_all_it_started(run: Run, machine: Machine) -> None:
    """The time limit ends the whole group of processes, also one that ignores the request to end."""
    (machine.folder / "log").touch()
    stuck = machine.script(f"tail -f {machine.folder}/log & wait")
    async with run(**machine.services(backup_restic=stuck, backup_timeout=1)) as steward:
        told = await failure_of(steward, await ask_for_run(steward, await protect(steward, machine.archive)))
        assert "took longer than 1 s" in told.reason
        await until_ended(processes_with(machine.folder))
