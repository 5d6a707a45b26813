"""A log in a folder laid out as C2SP tlog-tiles says: an export, an archive, or the log of another program."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.compliance.log.tiles import Bundle, NotATile, Tile, bundles_of, is_in_tree, parse_path
from services.compliance.log.tree import HASH_BYTES
from services.compliance.verify.domain import BUNDLE, Computed, Faulty, Kind, Noted, Piece
from services.compliance.verify.pieces import divide
from services.compliance.verify.seals import as_noted
from shared.errors import Unavailable

CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """The log in ``folder``. In a ``sealed`` one, nothing else lies among the tiles; a log that grows may be ahead."""

    folder: Path
    sealed: bool = True

    def open(self) -> "DirectoryReader":
        """Begins to read. Raises Unavailable when there is no such folder."""
        if not self.folder.is_dir():
            raise Unavailable(f"{self.folder} is not a folder")
        return DirectoryReader(self.folder, self.sealed)


class DirectoryReader:
    """Reads the files of a log."""

    numbers = None

    def __init__(self, folder: Path, sealed: bool) -> None:
        self._source = DirectorySource(folder, sealed)
        self._folder = f"{folder}/"
        self._sealed = sealed

    def size(self) -> int | None:
        """A folder has a checkpoint and no other claim."""
        return None

    def latest(self) -> Noted | None:
        """The file ``checkpoint``."""
        raw = self._file(CHECKPOINT)
        return None if raw is None else as_noted(raw)

    def checkpoints(self, after: int, upto: int) -> Sequence[Noted]:
        """The same one."""
        latest = self.latest()
        return [latest] if latest is not None and after < latest.size <= upto else []

    def share(self) -> DirectorySource:
        """The same folder."""
        return self._source

    def manifests(self, after: int, upto: int) -> None:
        """A folder keeps no manifests but the entries."""

    def pieces(self, first: int, end: int) -> Iterator[Piece]:
        """The bundles and level-0 tiles, and that what they were when they were partial is their beginning."""
        for bundle in bundles_of(end, first):
            until = bundle.start + bundle.width
            body, hashes = self._bundle(bundle), self._tile(bundle.leaves)
            if body is None or hashes is None:
                raise _missing(bundle, body is None)
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
        self._check_partial(tile.path, hashes, first, end)
        return hashes

    def check(self, computed: Computed) -> None:
        """That there is nothing among the tiles of a sealed folder that the checkpoint does not cover."""
        for name in self._names() if self._sealed else ():
            try:
                resource = parse_path(name)
            except NotATile as exc:
                raise Faulty("unexpected", computed.size, computed.size, f"{name}: {exc}") from exc
            if not is_in_tree(resource, computed.size):
                raise Faulty("unexpected", computed.size, computed.size, f"{name} lies beyond the checkpoint")

    def unchecked(self) -> Sequence[str]:
        """A search index is not part of an export."""
        return ()

    def close(self) -> None:
        """Nothing is held open."""

    def _names(self) -> Iterator[str]:
        top = self._folder + "tile"
        for folder, _, files in os.walk(top):
            for file in files:
                yield os.path.relpath(os.path.join(folder, file), self._folder)

    def _bundle(self, bundle: Bundle) -> bytes | None:
        body = self._file(bundle.path)
        if body is None and bundle.width < BUNDLE:
            whole = self._file(Bundle(bundle.number).path)
            return whole and beginning(whole, bundle.width)
        return body

    def _tile(self, tile: Tile) -> bytes | None:
        hashes = self._file(tile.path)
        if hashes is None and tile.width < BUNDLE:
            whole = self._file(Tile(tile.level, tile.number).path)
            return whole and whole[: tile.width * HASH_BYTES]
        return hashes

    def _check_partial(self, path: str, body: bytes, first: int, end: int) -> None:
        """What a complete bundle or tile was while it was partial may still be there, and then is its beginning."""
        folder = path.partition(".p/")[0] + ".p"
        try:
            names = os.listdir(self._folder + folder)
        except FileNotFoundError:
            return
        for name in names:
            if f"{folder}/{name}" != path and not body.startswith(self._file(f"{folder}/{name}") or b"?"):
                raise Faulty("partial", first, end, f"{folder}/{name} is not the beginning of {path}")

    def _file(self, name: str) -> bytes | None:
        try:
            with open(self._folder + name, "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise Unavailable(f"{name} can't be read: {exc}") from exc


def beginning(body: bytes, width: int) -> bytes:
    """The first ``width`` entries of a bundle."""
    entries, _ = divide(body, 0, width)
    return body[: sum(2 + len(entry) for entry in entries)]


def _missing(bundle: Bundle, is_bundle: bool) -> Faulty:
    kind: Kind = "bundle-missing" if is_bundle else "tile-missing"
    path = bundle.path if is_bundle else bundle.leaves.path
    return Faulty(kind, bundle.start, bundle.start + bundle.width, f"there is no {path}")
