"""The package of evidence as one zip file: written as a stream, and read back to verify it."""

import errno
import struct
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, cast
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from services.compliance.checkpoints.checkpoint import NotACheckpoint, SignedCheckpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, open_cosigned
from services.compliance.checkpoints.note import NotANote, Untrusted, VerifierKey
from services.compliance.export.evidence import (
    Claim,
    Evidence,
    Kept,
    Left,
    NotEvidence,
    Reading,
    SiteProof,
    cover,
    describe,
    describe_site,
    read_claim,
    read_line,
    read_site,
    write_line,
)
from services.compliance.export.readme import key_list, readme
from services.compliance.log.proofs import PerfectSubtree, Plan, Proof, Span
from services.compliance.log.tiles import TILE_WIDTH, Tile

README, FORMAT, CHECKPOINT, SITE, KEYS, LOG = MEMBERS = (
    *("README.txt", "format.json", "checkpoint", "head.json", "keys.txt", "entries.ndjson"),
)
MAX_SMALL_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 19
"""More than an entry of 65,535 bytes can need as a string of JSON."""

DAMAGES = (BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What reading a damaged zip file ends in."""

READ_BYTES = 1 << 16
COMPRESSION = 6

Tiles = Callable[[AbstractSet[Tile]], Awaitable[Mapping[Tile, bytes]]]
"""Reads tiles of the log, each as wide as it is asked for."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """All of a package but its entries."""

    claim: Claim
    checkpoint: bytes
    origin: str
    size: int
    site: SiteProof
    keys: Sequence[str]


async def pack(sealed: Sealed, lines: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The package, piece by piece. One that ends early has no directory, and so is no zip file."""
    sink = _Sink()
    small = {
        README: readme(sealed.claim, sealed.origin, sealed.size),
        FORMAT: describe(sealed.claim),
        CHECKPOINT: sealed.checkpoint,
        SITE: describe_site(sealed.site),
        KEYS: key_list(sealed.keys),
    }
    with ZipFile(cast("IO[bytes]", sink), "w", ZIP_DEFLATED, compresslevel=COMPRESSION) as archive:
        for name, body in small.items():
            archive.writestr(_member(name), body, ZIP_DEFLATED, COMPRESSION)
        yield sink.take()
        with archive.open(_member(LOG), "w", force_zip64=True) as log:
            async for piece in lines:
                log.write(piece)
                yield sink.take()
    yield sink.take()


async def log_lines(size: int, pages: AsyncIterable[Sequence[Kept]], read: Tiles) -> AsyncIterator[bytes]:
    """The lines of ``entries.ndjson``, a page of entries at a time, with the hashes of what lies between them.

    The entries come by rising index, and the last one is the last of the log of that size.
    """
    at = 0
    async for page in pages:
        parts: list[Kept | PerfectSubtree] = []
        for kept in page:
            parts += [*cover(at, kept.index), kept]
            at = kept.index + 1
        plan = Plan(size, [[_span(part)] for part in parts if isinstance(part, PerfectSubtree)])
        hashes = iter(plan.solve(await read(plan.tiles)))
        yield b"".join(write_line(_record(part, hashes)) for part in parts)


def _span(subtree: PerfectSubtree) -> Span:
    return subtree.number << subtree.level, subtree.number + 1 << subtree.level


def _record(part: Kept | PerfectSubtree, hashes: Iterator[Proof]) -> Kept | Left:
    if isinstance(part, Kept):
        return part
    return Left(part.number << part.level, part.level, next(hashes)[0])


@dataclass(frozen=True, slots=True)
class Refuted:
    """A package that does not show what it claims; ``detail`` says where and why."""

    detail: str


def verify_evidence(
    path: Path,
    keys: Iterable[VerifierKey],
    witnesses: Iterable[CosignatureKey] = (),
    quorum: int = 0,
    progress: Callable[[int, int], None] = lambda done, size: None,
) -> Evidence | Refuted:
    """Reads a whole package and computes everything again; what is trusted is ``keys`` and nothing else.

    At least ``quorum`` of the witnesses must have cosigned. ``progress`` is told how many of the log's entries are
    covered. Raises OSError for a file that can't be read.
    """
    try:
        with ZipFile(path) as archive:
            return _verify(archive, keys, witnesses, quorum, progress)
    except NotEvidence as exc:
        return Refuted(str(exc))
    except (NotANote, NotACheckpoint, Untrusted) as exc:
        return Refuted(f"checkpoint: {exc}")
    except DAMAGES as exc:
        return Refuted(f"the package was cut or changed: {exc}")
    except OSError as exc:
        # A damaged directory sends the reader to places before the file's beginning.
        if exc.errno != errno.EINVAL:
            raise
        return Refuted("the package was cut or changed: its directory is damaged")


def _verify(
    archive: ZipFile,
    keys: Iterable[VerifierKey],
    witnesses: Iterable[CosignatureKey],
    quorum: int,
    progress: Callable[[int, int], None],
) -> Evidence:
    if (names := tuple(archive.namelist())) != MEMBERS:
        raise NotEvidence(f"the package must hold {', '.join(MEMBERS)}, in this order, and holds {', '.join(names)}")
    claim = read_claim(_small(archive, FORMAT))
    site = read_site(_small(archive, SITE))
    signed: SignedCheckpoint = open_cosigned(_small(archive, CHECKPOINT), keys, witnesses, quorum)
    reading = Reading(claim, signed)
    for number, line in enumerate(_lines(archive), start=1):
        reading.take(read_line(line, number))
        if not number % TILE_WIDTH:
            progress(reading.width, signed.size)
    return reading.conclude(site)


def _small(archive: ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        body = file.read(MAX_SMALL_BYTES + 1)
    if len(body) > MAX_SMALL_BYTES:
        raise NotEvidence(f"{name}: has more than {MAX_SMALL_BYTES} bytes")
    return body


def _lines(archive: ZipFile) -> Iterator[bytes]:
    with archive.open(LOG) as member, BufferedReader(cast("BufferedReader", member), READ_BYTES) as file:
        while line := file.readline(MAX_LINE_BYTES):
            yield line


def _member(name: str) -> ZipInfo:
    info = ZipInfo(name)
    info.external_attr = 0o644 << 16
    info.compress_type = ZIP_DEFLATED
    return info


class _Sink:
    """What a zip file is written to, and taken from in pieces. It has no position, so nothing is written twice."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken
