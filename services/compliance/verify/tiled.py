"""A log whose parts have the names of C2SP tlog-tiles, wherever they lie: in a folder, or behind an address."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from services.compliance.log.hashing import HASH_BYTES
from services.compliance.log.tiles import Bundle, NotATile, Tile, bundles_of, is_in_tree, parse_path
from services.compliance.verify.domain import (
    BUNDLE,
    Computed,
    Faulty,
    Gap,
    Kind,
    Noted,
    Numbers,
    PartitionRow,
    Piece,
    Source,
)
from services.compliance.verify.pieces import divide
from services.compliance.verify.seals import as_noted
from services.compliance.verify.sums import check_gaps, notes_of

CHECKPOINT = "checkpoint"
BUNDLES = "tile/entries/"


class Files(Protocol):
    """Where the parts lie."""

    unchecked: Sequence[str]
    """What is not seen there, in sentences."""

    def read(self, name: str) -> bytes | None:
        """The bytes of that name; None where there are none. Raises Unavailable when that can't be told."""

    def listed(self, folder: str) -> Iterable[str]:
        """The names in a folder, where they can be listed."""

    def names(self) -> Iterable[str]:
        """The names of all that is there below ``tile``, where they can be listed."""

    def close(self) -> None:
        """Ends the reading."""


class TiledReader:
    """Reads a log by the names that tlog-tiles gives its parts.

    In a ``sealed`` one, there is nothing that the checkpoint does not cover; one that grows may be ahead of it.
    """

    numbers: Numbers | None = None

    def __init__(
        self, source: Source, files: Files, *, sealed: bool, pruned: Mapping[Gap, PartitionRow] | None = None
    ) -> None:
        self._source = source
        self._files = files
        self._sealed = sealed
        self._latest: Noted | None = None
        self._pruned = pruned or {}
        self.gaps: Sequence[Gap] = sorted(self._pruned)

    def size(self) -> int | None:
        """Nothing but the checkpoint tells."""
        return None

    def latest(self) -> Noted | None:
        """The one at ``checkpoint``, read once: a log that grows has another one soon."""
        if self._latest is None and (raw := self._files.read(CHECKPOINT)) is not None:
            self._latest = as_noted(raw)
        return self._latest

    def checkpoints(self, after: int, upto: int) -> Sequence[Noted]:
        """The same one."""
        latest = self.latest()
        return [latest] if latest is not None and after < latest.size <= upto else []

    def share(self) -> Source:
        """The same place."""
        return self._source

    def manifests(self, after: int, upto: int) -> None:
        """Manifests are entries here, and nothing else."""

    def pieces(self, first: int, end: int) -> Iterator[Piece]:
        """The bundles and level-0 tiles, and that what they were when they were partial is their beginning."""
        for bundle in bundles_of(end, first):
            until = bundle.start + bundle.width
            is_pruned = any(begin <= bundle.start < until for begin, until in self.gaps)
            body, hashes = b"" if is_pruned else self._bundle(bundle), self._tile(bundle.leaves)
            if body is None or hashes is None:
                raise _missing(bundle, body is None)
            if not is_pruned:
                self._check_partial(bundle.path, body, bundle.start, until)
            self._check_partial(bundle.leaves.path, hashes, bundle.start, until)
            yield Piece(bundle.start, until, body, hashes)

    def tile(self, level: int, number: int, width: int) -> bytes:
        """A tile of hashes of subtrees."""
        tile = Tile(level, number, width)
        hashes = self._tile(tile)
        first, end = number * BUNDLE ** (level + 1), (number * BUNDLE + width) * BUNDLE**level
        if hashes is None:
            raise Faulty("tile-missing", first, end, f"there is no {tile.path}")
        self._check_partial(tile.path, hashes, first, end, BUNDLE**level)
        return hashes

    def check(self, computed: Computed) -> None:
        """That entries tell of what was pruned, and the checkpoint covers all that is in a sealed folder."""
        check_gaps(self._pruned, computed)
        for name in self._files.names() if self._sealed else ():
            try:
                resource = parse_path(name)
            except NotATile as exc:
                raise Faulty("unexpected", computed.size, computed.size, f"{name}: {exc}") from exc
            if not is_in_tree(resource, computed.size):
                raise Faulty("unexpected", computed.size, computed.size, f"{name} lies beyond the checkpoint")

    def unchecked(self) -> Sequence[str]:
        """What was pruned, and what only a database has."""
        return [*notes_of(self._pruned), *self._files.unchecked]

    def close(self) -> None:
        """Ends what the files need."""
        self._files.close()

    def _bundle(self, bundle: Bundle) -> bytes | None:
        body = self._files.read(bundle.path)
        if body is None and bundle.width < BUNDLE:
            whole = self._files.read(Bundle(bundle.number).path)
            return whole and beginning(whole, bundle.width)
        return body

    def _tile(self, tile: Tile) -> bytes | None:
        hashes = self._files.read(tile.path)
        if hashes is None and tile.width < BUNDLE:
            whole = self._files.read(Tile(tile.level, tile.number).path)
            return whole and whole[: tile.width * HASH_BYTES]
        return hashes

    def _check_partial(self, path: str, body: bytes, first: int, end: int, span: int = 1) -> None:
        """What a complete bundle or tile was while it was partial may still be there, and then is its beginning."""
        folder = path.partition(".p/")[0] + ".p"
        for name in self._files.listed(folder):
            width = int(name) if name.isdecimal() else 0
            if f"{folder}/{name}" == path or width >= (end - first) // span:
                continue
            begin = beginning(body, width) if path.startswith(BUNDLES) else body[: width * HASH_BYTES]
            if self._files.read(f"{folder}/{name}") != begin:
                raise Faulty("partial", first, end, f"{folder}/{name} is not the beginning of {path}")


def beginning(body: bytes, width: int) -> bytes:
    """The first ``width`` entries of a bundle."""
    entries, _ = divide(body, 0, width)
    return body[: sum(2 + len(entry) for entry in entries)]


def _missing(bundle: Bundle, is_bundle: bool) -> Faulty:
    kind: Kind = "bundle-missing" if is_bundle else "tile-missing"
    path = bundle.path if is_bundle else bundle.leaves.path
    return Faulty(kind, bundle.start, bundle.start + bundle.width, f"there is no {path}")
