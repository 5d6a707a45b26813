"""Tessera v1.0.4: its ``fsck``, and its POSIX driver behind the program ``tlog-posix``.

A benchmark runs ``tlog-posix FOLDER ORIGIN ENTRIES BYTES`` (``measure_posix_log``): that many entries of that many
bytes go through Tessera's Appender in one process, with the driver's default batches and as many entries in flight as
it allows. ``seconds`` lasts from the first entry's Add until the last one's index is known, which is when it is
integrated; the wait for the checkpoint that follows is not counted. The folder must be new.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts.process import PartFailed, PartMissing
from tests.source import ROOT

FSCK = ROOT / ".parts/bin/fsck"
POSIX = ROOT / ".parts/bin/tlog-posix"
WITNESSED = ROOT / ".parts/bin/tlog-witnessed"
WORKERS = 16


@dataclass(frozen=True)
class PosixLog:
    """A log that Tessera has built, and how fast; ``public_key`` is what its checkpoint is verified by."""

    folder: Path
    public_key: str
    entries: int
    seconds: float
    entries_per_second: float


@dataclass(frozen=True)
class Verdict:
    """What fsck said. Only its closing line tells that it has read and confirmed the whole log."""

    is_confirmed: bool
    words: str


def build_posix_log(folder: Path, origin: str, entries: Iterable[bytes]) -> PosixLog:
    """Tessera's log of these entries, in this order. Raises PartMissing, PartFailed."""
    return _run([folder, origin], folder, b"".join(len(entry).to_bytes(2) + entry for entry in entries))


def measure_posix_log(folder: Path, origin: str, count: int, size: int) -> PosixLog:
    """Tessera's log of ``count`` entries of ``size`` bytes, made by the program itself. Raises as above."""
    return _run([folder, origin, str(count), str(size)], folder, b"")


async def grow_witnessed_log(folder: Path, secret: str, witness: str, url: str, entries: int) -> None:
    """Lets Tessera add entries, one a checkpoint, each published only when the witness behind the URL has cosigned.

    It gives up after 20 s. Raises PartMissing, PartFailed.
    """
    if not WITNESSED.exists():
        raise PartMissing("tlog-witnessed is not here: make .parts/bin/fsck")
    command = (WITNESSED, folder, secret, witness, url, str(entries))
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, words = await process.communicate()
    if process.returncode:
        raise PartFailed(f"tlog-witnessed: {words.decode(errors='replace')}")


async def fsck(storage_url: str, public_key: str, folder: Path, *, token: str = "", within: float = 60) -> Verdict:
    """Runs fsck on the log behind a URL, ``http:`` or ``file:``; ``folder`` keeps the key.

    On a mismatch it may hang: after ``within`` seconds it is ended, and the log is not confirmed. Raises PartMissing.
    """
    if not FSCK.exists():
        raise PartMissing("fsck is not here: make .parts/bin/fsck")
    key = folder / "log.pub"
    key.write_text(public_key)
    options = [f"--N={WORKERS}", f"--storage_url={storage_url}", f"--public_key={key}", f"--bearer_token={token}"]
    process = await asyncio.create_subprocess_exec(FSCK, "--ui=false", *options, stderr=asyncio.subprocess.PIPE)
    words = bytearray()
    try:
        async with asyncio.timeout(within):
            await _listen(process, words)
    except TimeoutError:
        process.kill()
        words += b"ended after its time\n"
    await process.wait()
    text = words.decode(errors="replace")
    return Verdict("Successfully fsck'd log" in text, text)


async def _listen(process: asyncio.subprocess.Process, words: bytearray) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        words += line
    await process.wait()


def _run(arguments: Sequence[Path | str], folder: Path, entries: bytes) -> PosixLog:
    if not POSIX.exists():
        raise PartMissing("tlog-posix is not here: make .parts/bin/fsck")
    done = subprocess.run([POSIX, *arguments], input=entries, capture_output=True, check=False)
    if done.returncode:
        raise PartFailed(f"tlog-posix: {done.stderr.decode(errors='replace')}")
    return PosixLog(folder, **json.loads(done.stdout))
