"""Runs a program so that its end is known even when we are gone before it: output and exit code go to files.

A shell between us and the program writes the exit code. It is told to let signals pass, so that a program that is
asked to stop still leaves its exit code; a SIGKILL leaves none.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

SCRIPT = """
trap : INT TERM
folder=$1
shift
"$@" >"$folder/stdout" 2>"$folder/stderr"
echo $? >"$folder/exit.part" && mv "$folder/exit.part" "$folder/exit"
"""
MAX_OUTPUT = 64 * 1024 * 1024
CHECK_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
LOCK_SECONDS = 0.5
TAIL = 16 * 1024


class Runaway(Exception):
    """The program printed more than anybody will read and was stopped."""


@asynccontextmanager
async def holding(lock: Path) -> AsyncIterator[int]:
    """Waits for an exclusive lock on a file and gives its descriptor.

    A program that inherits the descriptor keeps the lock for as long as it lives, even when we die.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _try_lock(descriptor):
            await asyncio.sleep(LOCK_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def run_recorded(command: Sequence[str], folder: Path, env: Mapping[str, str], lock: int) -> int | None:
    """Runs a program with ``folder`` for its output and gives its exit code, or None when it left none.

    When this is cancelled or raises (Runaway), the program and all that it started have ended.
    """
    await asyncio.to_thread(_clear, folder)
    process = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", SCRIPT, "sh", str(folder), *command),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        pass_fds=(lock,),
        start_new_session=True,
    )
    try:
        while process.returncode is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await process.wait()
            if output_size(folder) > MAX_OUTPUT:
                raise Runaway(f"{Path(command[0]).name} printed more than {MAX_OUTPUT} bytes and was stopped")
    finally:
        if process.returncode is None:
            await _end(process)
    return exit_code(folder)


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ends the program's whole group: asks with SIGINT, which restic answers by giving its lock back, then insists."""
    _signal_group(process, signal.SIGINT)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await process.wait()
    # What the program has left behind may ignore SIGINT, and is in the group even when the shell has ended.
    _signal_group(process, signal.SIGKILL)
    await process.wait()


def _signal_group(process: asyncio.subprocess.Process, signum: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signum)


def exit_code(folder: Path) -> int | None:
    """The exit code of the program that last ran with ``folder``, or None when it left none."""
    try:
        return int((folder / "exit").read_text())
    except (OSError, ValueError):
        return None


def output_size(folder: Path) -> int:
    """Bytes that the program has printed."""
    return sum(path.stat().st_size for path in (folder / "stdout", folder / "stderr") if path.exists())


def output_digest(folder: Path | None) -> str:
    """SHA-256 of all that the program printed, standard output first; of nothing when it never ran."""
    digest = hashlib.sha256()
    for path in (folder / "stdout", folder / "stderr") if folder else ():
        with suppress(FileNotFoundError), path.open("rb") as output:
            while block := output.read(1024 * 1024):
                digest.update(block)
    return digest.hexdigest()


def error_tail(folder: Path) -> str:
    """The end of what the program printed on standard error."""
    with suppress(FileNotFoundError), (folder / "stderr").open("rb") as output:
        output.seek(max(0, output.seek(0, os.SEEK_END) - TAIL))
        return output.read().decode(errors="replace")
    return ""
