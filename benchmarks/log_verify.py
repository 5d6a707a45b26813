"""Verifying the audit log: the database and an exported folder, beside bare hashing and beside Tessera's fsck."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from time import perf_counter, process_time

import asyncpg

from benchmarks.figure import Figure
from benchmarks.ground import PROJECT, House
from services.compliance.checkpoints.note import VerifierKey
from services.compliance.log.bundle import split_entries, unpack
from services.compliance.log.directory import DirectoryWriter
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.directory import DirectorySource
from services.compliance.verify.domain import Source
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.seals import Trust
from tests.contract.compliance.log.serving import served
from tests.parts.tessera import fsck

FLOOR = 200_000
OF_HASHING = 0.4
WORKERS = 2
TURNS = 3
FSCK_SECONDS = 120.0


async def measure(house: House, folder: Path, key: VerifierKey) -> list[Figure]:
    """Entries a second of one process's CPU time, and with two processes beside fsck, which uses both cores."""
    entries, note = await _sealed_entries(house)
    exported = folder / "exported"
    await asyncio.to_thread(_export, entries, note, exported)
    bare, of_folder, of_database = await asyncio.to_thread(
        _in_turns,
        [
            lambda: _hash_bare(entries),
            lambda: _verify(DirectorySource(exported), key, len(entries)),
            lambda: _verify(DatabaseSource(house.login("compliance")), key, len(entries)),
        ],
    )
    of_folder_by_both = await _verify_by_command(["--directory", str(exported)], key, len(entries))
    tessera = await _fsck(f"file://{exported}/", key, folder, len(entries))
    with served(exported) as url:
        over_http = await _verify_by_command([url], key, len(entries))
        tessera_over_http = await _fsck(url, key, folder, len(entries))
    name, hashing, floor = "audit log verified", "bare leaf hashes and root by hashlib", max(FLOOR, OF_HASHING * bare)
    return [
        Figure(f"{name}, a folder, one core", of_folder, "entries/s", hashing, bare, floor),
        Figure(f"{name}, the database, one core", of_database, "entries/s", hashing, bare, floor),
        Figure(f"{name}, a folder, two cores", of_folder_by_both, "entries/s", "Tessera's fsck", tessera, tessera),
        Figure(
            f"{name}, over HTTP, two cores",
            over_http,
            "entries/s",
            "Tessera's fsck from the same server",
            tessera_over_http,
            tessera_over_http,
        ),
    ]


async def _sealed_entries(house: House) -> tuple[list[bytes], bytes]:
    """All entries below the newest checkpoint, and that checkpoint."""
    conn = await asyncpg.connect(house.owner, server_settings={"search_path": "compliance"})
    rows = await conn.fetch(
        "SELECT start, body FROM chunks UNION ALL SELECT size - size % 64, tail FROM head ORDER BY 1"
    )
    size, note = await conn.fetchrow("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1") or (0, "")
    await conn.close()
    entries = [entry for row in rows for entry in split_entries(unpack(row["body"]))]
    return entries[:size], note.encode()


def _in_turns(measures: Sequence[Callable[[], float]]) -> list[float]:
    """Entries a second by each of some measures of the seconds an entry takes.

    They take turns, since the machine may be slower in one minute than in the next.
    """
    turns = [[measure() for measure in measures] for _ in range(TURNS)]
    return [TURNS / sum(seconds) for seconds in zip(*turns, strict=True)]


def _hash_bare(entries: Sequence[bytes]) -> float:
    """Seconds of CPU time an entry."""
    began = process_time()
    level = [sha256(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level += odd
    return (process_time() - began) / len(entries)


def _export(entries: Sequence[bytes], note: bytes, folder: Path) -> None:
    writer = DirectoryWriter(folder)
    writer.add(entries)
    writer.finish(note)


def _verify(source: Source, key: VerifierKey, size: int) -> float:
    """Seconds of this process's CPU time an entry; all of the log, from its first entry on."""
    began = process_time()
    report, _ = verify(Verification(source, Trust((key,))))
    seconds = process_time() - began
    assert report.fault is None, report.fault
    assert report.size >= size
    return seconds / report.size


async def _verify_by_command(place: Sequence[str], key: VerifierKey, size: int) -> float:
    """Entries a second of `steward log verify`, a program from its start to its end as Tessera's is."""
    command = [sys.executable, "-m", "services", "log", "verify", *place, "--key", str(key), f"--workers={WORKERS}"]
    began = perf_counter()
    process = await asyncio.create_subprocess_exec(*command, cwd=PROJECT, stdout=asyncio.subprocess.PIPE)
    words, _ = await process.communicate()
    seconds = perf_counter() - began
    assert words.startswith(b"verified: %d entries" % size), words
    return size / seconds


async def _fsck(url: str, key: VerifierKey, folder: Path, size: int) -> float:
    """Entries a second that Tessera's own tool confirms."""
    began = perf_counter()
    verdict = await fsck(url, str(key), folder, within=FSCK_SECONDS)
    seconds = perf_counter() - began
    assert verdict.is_confirmed, verdict.words
    return size / seconds
