"""Programs that a service runs: nothing of them outlives the run, however it ends."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOCALE = {"PATH": PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@asynccontextmanager
async def running(
    command: Sequence[str],
    environment: Mapping[str, str] | None = LOCALE,
    stdin: int = DEVNULL,
    stderr: int | None = PIPE,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program while the block lasts; at its end none of its processes is left. Raises OSError.

    Its standard output is a pipe. With None for ``environment`` or ``stderr`` it has ours.
    """
    process = await _started(command, environment, stdin, stderr)
    try:
        yield process
    finally:
        await _end(process)


async def _started(
    command: Sequence[str], environment: Mapping[str, str] | None, stdin: int, stderr: int | None
) -> asyncio.subprocess.Process:
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=PIPE,
            stderr=stderr,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # A start that is cancelled before its pipes are connected waits for them for ever.
        with suppress(OSError):
            await _end(await starting)
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kills what is left of the program and of all that it started in its session's first process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # Who has left the group may hold the pipes open; asyncio has no other way to let go of them.
    cast(Any, process)._transport.close()
    await process.wait()


async def output_of(stream: asyncio.StreamReader | None, most: int) -> bytes | None:
    """All that comes until the end; None when that is more than ``most`` bytes."""
    parts = bytearray()
    while stream is not None and (more := await stream.read(65_536)):
        parts += more
        if len(parts) > most:
            return None
    return bytes(parts)
