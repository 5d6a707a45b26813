"""The one place that touches restic: one backup, from a repository that may not exist yet to a snapshot read back.

The snapshot carries the tag ``run:ID``. A repository's lock file is inherited by every restic that is started on it:
one whose runner was killed goes on to its end, and the next runner waits for it and finds its exit code and output.
The password travels in the environment, never among the arguments.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from services.backup.runs import reading
from services.backup.runs.domain import Failure, Run, Snapshot
from services.backup.runs.process import (
    Runaway,
    error_tail,
    exit_code,
    holding,
    output_digest,
    run_recorded,
)
from services.backup.runs.reading import INTERRUPTED, NotUnderstood, Stored, Summary, explain, parse
from services.backup.sets.roots import Roots
from shared.errors import Malformed

INSTALL = "apt-get install restic"
SECONDS_PER_STATUS = 10
NO_ROOM_FOR_HOME = {"PATH": os.defpath, "RESTIC_PROGRESS_FPS": str(1 / SECONDS_PER_STATUS)}


class ResticFailed(Exception):
    """A step did not end as it must; ``folder`` holds the output of the command that shows it."""

    def __init__(self, reason: str, exit_code: int | None = None, folder: Path | None = None) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
        self.folder = folder


@dataclass(frozen=True)
class Restic:
    """restic with this machine's repositories. ``work`` takes whatever else restic writes: cache, temporary files."""

    program: str
    repositories: Path
    work: Path
    password: SecretStr
    timeout: float
    roots: Roots

    async def back_up(self, run: Run, repository_known: bool) -> Snapshot | Failure:
        """Makes the run's snapshot, once, and reads it back; what can't be understood is a failure.

        After a crash it is called again: a restic that is still working is awaited, one that has ended is judged by
        what it left, and only one that left neither exit code nor snapshot is started again. A repository that is
        missing is made, unless it is known to have held backups. Cancelling ends restic before this returns.
        """
        try:
            async with asyncio.timeout(self.timeout):
                return await self._back_up(run, repository_known)
        except TimeoutError:
            reason, code, folder = f"the run took longer than {self.timeout:g} s and was stopped", None, None
        except ResticFailed as exc:
            reason, code, folder = str(exc), exc.exit_code, exc.folder
        except (NotUnderstood, Runaway, OSError) as exc:
            reason, code, folder = str(exc), None, None
        return Failure(reason, code, await asyncio.to_thread(output_digest, folder))

    async def _back_up(self, run: Run, repository_known: bool) -> Snapshot:
        program = shutil.which(self.program)
        if program is None:
            raise ResticFailed(f"restic is not installed ({self.program} is no program): {INSTALL}")
        name = f"{run.site_id}/{run.repository}"
        async with holding(self.work / "locks" / f"{name}.lock") as lock:
            session = Session(program, self.repositories / name, self.work, run.id, self.password, lock)
            code = exit_code(session.folder("backup"))
            if code is None or code == INTERRUPTED:
                await self._check_source(run)
                await open_repository(session, repository_known)
                if run.attempts > 1:
                    await refuse_second_snapshot(session, run)
                code = await session.run("backup", "--json", "--host", run.system_id, "--tag", tag(run), run.path)
            if code != 0:
                raise session.failed("backup", code)
            return await read_back(session, run)

    async def _check_source(self, run: Run) -> None:
        try:
            real = await asyncio.to_thread(self.roots.resolve, run.path)
        except Malformed as exc:
            raise ResticFailed(f"{run.path} {exc.extra['errors'][0]['rule']}") from exc
        if real != run.path:
            raise ResticFailed(f"{run.path} has become a link to {real}; change the protection set")


@dataclass(frozen=True)
class Session:
    """restic on one repository, for one run, under the repository's lock."""

    program: str
    repository: Path
    work: Path
    run_id: str
    password: SecretStr
    lock: int

    def folder(self, command: str) -> Path:
        """Where the output of a command of this run lies."""
        return self.work / "runs" / self.run_id / command.replace(" ", "-")

    async def run(
        self, command: str, *arguments: str, password: str | None = None, at: Path | None = None
    ) -> int | None:
        """Runs a command of restic and gives its exit code, or None when it left none."""
        where = ["--repo", str(at or self.repository), "--cache-dir", str(self.work / "cache")]
        call = [self.program, *where, *command.split(), *arguments]
        return await run_recorded(call, self.folder(command), self._environment(password), self.lock)

    async def ask(self, command: str, *arguments: str) -> bytes:
        """What a command prints on standard output. Raises ResticFailed when it fails."""
        code = await self.run(command, *arguments)
        if code != 0:
            raise self.failed(command, code)
        return await asyncio.to_thread((self.folder(command) / "stdout").read_bytes)

    def failed(self, command: str, code: int | None) -> ResticFailed:
        """The error that says why a command failed."""
        folder = self.folder(command)
        if code is None:
            return ResticFailed(f"restic {command} was killed, or its exit code could not be written", None, folder)
        return ResticFailed(explain(command, code, error_tail(folder)), code, folder)

    def _environment(self, password: str | None) -> Mapping[str, str]:
        temporary = self.work / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        secret = password or self.password.get_secret_value()
        return NO_ROOM_FOR_HOME | {"TMPDIR": str(temporary), "RESTIC_PASSWORD": secret}


def tag(run: Run) -> str:
    """The tag that the run's snapshot carries."""
    return f"run:{run.id}"


async def open_repository(session: Session, known: bool) -> None:
    """Makes the repository if it is missing, opens it with the password, and drops locks that dead processes left."""
    if not await asyncio.to_thread((session.repository / "config").exists):
        await _init(session, known)
    await session.ask("unlock")


async def _init(session: Session, known: bool) -> None:
    if known:
        raise ResticFailed(
            f"{session.repository} held backups and is no restic repository now; is its disk mounted? "
            "To begin a new one, give the protection set another repository name"
        )
    if await asyncio.to_thread(_holds_files, session.repository):
        raise ResticFailed(f"{session.repository} is not empty and no restic repository")
    # A crash in the middle must not leave half a repository under the name: it is made elsewhere and then moved.
    fresh = session.repository.with_name(f".new-{session.run_id}")
    await asyncio.to_thread(_clear_way, fresh)
    code = await session.run("init", at=fresh)
    if code != 0:
        await asyncio.to_thread(_clear_way, fresh)
        raise session.failed("init", code)
    await asyncio.to_thread(fresh.rename, session.repository)


def _holds_files(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _clear_way(fresh: Path) -> None:
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


async def refuse_second_snapshot(session: Session, run: Run) -> None:
    """Raises ResticFailed when the run has a snapshot, but not the exit code that would say if it is complete."""
    for stored in await _snapshots(session, run):
        raise ResticFailed(f"snapshot {stored.id[:8]} was made, but how restic ended was lost; start a new run")


async def read_back(session: Session, run: Run) -> Snapshot:
    """Compares what restic said with what the repository holds. Raises ResticFailed, NotUnderstood."""
    backup = session.folder("backup")
    summary = await asyncio.to_thread(_read_summary, backup / "stdout")
    if summary.total_files_processed == 0:
        raise ResticFailed(f"{run.path} holds no file, so there is nothing that could come back", 0, backup)
    stored = await _snapshots(session, run)
    if len(stored) != 1 or not stored[0].id.startswith(summary.snapshot_id) or stored[0].paths != [run.path]:
        raise ResticFailed(
            f"the repository does not hold the one snapshot {summary.snapshot_id} that was made", 0, backup
        )
    printed = await session.ask("stats", "--json", "--mode", "restore-size", stored[0].id)
    stats = parse(reading.STATS, printed, "restic stats")
    # restic stats counts a file with several names once, and counts folders and links besides.
    if stats.total_size > summary.total_bytes_processed or stats.total_file_count < summary.total_files_processed:
        raise ResticFailed(f"snapshot {summary.snapshot_id} holds less than restic said it copied", 0, backup)
    return Snapshot(
        snapshot_id=stored[0].id,
        bytes=summary.data_added,
        total_bytes=summary.total_bytes_processed,
        items=summary.total_files_processed,
        encrypted=await is_encrypted(session),
        engine_version=reading.parse_version((await session.ask("version")).decode(errors="replace")),
        exit_code=0,
        output_sha256=await asyncio.to_thread(output_digest, backup),
    )


async def is_encrypted(session: Session) -> bool:
    """Whether the repository opens with our password and stays shut without it.

    Shown are three things: the password opens the repository's config; the config's bytes on the disk do not hold the
    id that it has when opened; a random password is refused. That the packs are encrypted under the same master key
    is restic's design (its repository format has no plain form) and is not proved here.
    """
    config = parse(reading.CONFIG, await session.ask("cat config"), "restic's config")
    on_disk = await asyncio.to_thread((session.repository / "config").read_bytes)
    refused = await session.run("cat config", password=secrets.token_urlsafe(16))
    wrong = "wrong password" in error_tail(session.folder("cat config"))
    return config.id.encode() not in on_disk and refused not in (0, None) and wrong


def _read_summary(output: Path) -> Summary:
    with output.open("rb") as lines:
        return reading.parse_summary(lines)


async def _snapshots(session: Session, run: Run) -> list[Stored]:
    printed = await session.ask("snapshots", "--json", "--tag", tag(run))
    return parse(reading.SNAPSHOTS, printed, "restic snapshots") or []
