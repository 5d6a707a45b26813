"""A log in a folder, as C2SP tlog-tiles lays it out: ``checkpoint`` and all that lies below ``tile/``.

Whoever reads while it is written finds every file whole, and all that a checkpoint tells of.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

from services.compliance.log.tiles import (
    MAX_BUNDLE_BYTES,
    TILE_WIDTH,
    Bundle,
    NotATile,
    Tile,
    check_tile,
    edge_of,
    split_bundle,
)
from services.compliance.log.tiling import Tiling, edge_from
from services.compliance.log.tree import Edge
from shared.errors import StewardError

Resource = TypeVar("Resource", Tile, Bundle)

CHECKPOINT = "checkpoint"
MAX_CHECKPOINT_BYTES = 1_000_000


class FileMissing(StewardError):
    """A file that the log should have is not there; says which."""


class TileDirectory:
    """Reads a log from a folder. What is read is checked against its name, and against nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def checkpoint(self) -> bytes:
        """The signed note, unchecked. Raises FileMissing; NotATile for a file that is far too large to be one."""
        body = self._read(CHECKPOINT, MAX_CHECKPOINT_BYTES)
        if len(body) > MAX_CHECKPOINT_BYTES:
            raise NotATile(f"{CHECKPOINT} has more than {MAX_CHECKPOINT_BYTES} bytes")
        return body

    def tile(self, tile: Tile) -> bytes:
        """The hashes, side by side; those of a partial tile also when only the full one is left.

        Raises FileMissing; NotATile when there are more or fewer hashes than the file's name says.
        """
        found = self._find(tile)
        body = self._read(found.path, found.byte_count)
        check_tile(found, body)
        return body[: tile.byte_count]

    def tiles(self, tiles: Iterable[Tile]) -> dict[Tile, bytes]:
        """The hashes of many tiles, as a plan of proofs asks for them."""
        return {tile: self.tile(tile) for tile in tiles}

    def entries(self, bundle: Bundle) -> list[bytes]:
        """The entries; those of a partial bundle also when only the full one is left.

        Raises FileMissing; NotATile when there are more or fewer entries than the file's name says.
        """
        found = self._find(bundle)
        return split_bundle(found, self._read(found.path, MAX_BUNDLE_BYTES))[: bundle.width]

    def edge(self, size: int) -> Edge:
        """The right edge of the tree that the log had at ``size``."""
        return edge_from(size, self.tiles(edge_of(size)))

    def _find(self, wanted: Resource) -> Resource:
        for resource in (wanted, replace(wanted, width=TILE_WIDTH)):
            if (self.folder / resource.path).is_file():
                return resource
        raise FileMissing(f"{wanted.path} is missing")

    def _read(self, path: str, limit: int) -> bytes:
        """The file's first bytes, one more than the limit at the most."""
        try:
            with (self.folder / path).open("rb") as file:
                return file.read(limit + 1)
        except FileNotFoundError as exc:
            raise FileMissing(f"{path} is missing") from exc


class DirectoryWriter:
    """Writes a log into a folder, or adds to the one that is there; memory stays the same however many entries.

    One at a time may write. Until `finish` the folder's checkpoint tells of what it told before.
    """

    def __init__(self, folder: Path, tiling: Tiling | None = None) -> None:
        """``tiling`` may begin at a later index: then the folder is a log whose earlier part is elsewhere."""
        self._folder = folder
        self._tiling = tiling or Tiling()
        self._replaced = _partials_of(self._tiling.edge.size)

    @classmethod
    def resume(cls, folder: Path, size: int, root: bytes) -> Self:
        """Adds to the log in the folder, whose checkpoint tells of ``size`` and ``root``.

        Raises FileMissing, NotATile; the latter also when the tiles have another root.
        """
        source = TileDirectory(folder)
        edge = source.edge(size)
        if edge.root != root:
            raise NotATile(f"the tiles of {size} entries have another root than the checkpoint")
        bundles = [partial for partial in _partials_of(size) if isinstance(partial, Bundle)]
        return cls(folder, Tiling(edge, [entry for bundle in bundles for entry in source.entries(bundle)]))

    @property
    def edge(self) -> Edge:
        """The tree over all entries so far; a checkpoint of its size and root is what `finish` takes."""
        return self._tiling.edge

    def add(self, entries: Iterable[bytes]) -> None:
        """Appends entries. Raises NotATile for one of more than 65,535 bytes, OSError when the disk refuses."""
        for resource, body in self._tiling.extend(entries):
            self._write(resource.path, body)

    def finish(self, checkpoint: bytes, *, durable: bool = False) -> None:
        """Writes what is not full, then the checkpoint, and drops the partial files that full ones have replaced.

        When it returns with ``durable``, all is on the disk. The writer may go on adding and finish again.
        """
        for resource, body in self._tiling.unfinished():
            self._write(resource.path, body)
        if durable:
            os.sync()
        self._write(CHECKPOINT, checkpoint)
        self._drop_replaced()
        if durable:
            os.sync()

    def _drop_replaced(self) -> None:
        for partial in self._replaced:
            full = self._folder / replace(partial, width=TILE_WIDTH).path
            if full.exists():
                shutil.rmtree(full.with_name(f"{full.name}.p"), ignore_errors=True)
        self._replaced = _partials_of(self.edge.size)

    def _write(self, path: str, body: bytes) -> None:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_bytes(body)
        fresh.replace(target)


def _partials_of(size: int) -> list[Tile | Bundle]:
    bundles = [Bundle(tile.number, tile.width) for tile in edge_of(size) if tile.level == 0]
    return [*bundles, *edge_of(size)]
