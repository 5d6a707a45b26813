"""A folder into which parts of a log were archived: their bundles, the tree over the whole log, and checkpoints.

Of the entries that are not there, the tree tells no more than the hashes over whole bundles.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from services.compliance.log.hashing import HASH_BYTES
from services.compliance.log.tiles import Bundle, NotATile, Tile, parse_path
from services.compliance.verify.domain import BUNDLE, Faulty, Gap, Noted, Piece, Source
from services.compliance.verify.tiled import Files, TiledReader

CHECKPOINTS = "checkpoints"


class ArchiveReader(TiledReader):
    """Reads a log whose entries are there in part, up to the newest of the checkpoints that were archived with them."""

    def __init__(self, source: Source, files: Files) -> None:
        super().__init__(source, files, sealed=False)
        sizes = sorted(int(name) for name in files.listed(CHECKPOINTS) if name.isascii() and name.isdecimal())
        self._noted = [Noted(size, files.read(f"{CHECKPOINTS}/{size}") or b"") for size in sizes]
        self._total = sizes[-1] if sizes else 0
        self._there = frozenset(_numbers(files))
        self.gaps = list(self._gaps())

    def latest(self) -> Noted | None:
        """The newest."""
        return self._noted[-1] if self._noted else None

    def checkpoints(self, after: int, upto: int) -> Sequence[Noted]:
        """All that were archived."""
        return [noted for noted in self._noted if after < noted.size <= upto]

    def pieces(self, first: int, end: int) -> Iterator[Piece]:
        """The bundles; of those that are not there, what the tree tells."""
        if any(begin <= first < until for begin, until in self.gaps):
            yield from map(self._absent, range(first // BUNDLE, -(-end // BUNDLE)))
        else:
            yield from super().pieces(first, end)

    def unchecked(self) -> Sequence[str]:
        """Which entries are there."""
        whole = [(0, 0), *self.gaps, (self._total, self._total)]
        there = [f"{first} to {end - 1}" for (_, first), (end, _) in pairwise(whole) if first < end]
        return [f"of the {self._total} entries, {' and '.join(there) or 'none'} are in this archive"]

    def _gaps(self) -> Iterator[Gap]:
        first = 0
        for number in [*sorted(self._there), -(-self._total // BUNDLE)]:
            if first < min(number * BUNDLE, self._total):
                yield first, min(number * BUNDLE, self._total)
            first = (number + 1) * BUNDLE

    def _absent(self, number: int) -> Piece:
        bundle = Bundle(number, min(BUNDLE, self._total - number * BUNDLE))
        first, end = bundle.start, bundle.start + bundle.width
        if self._files.read(Tile(0, number).path) is not None:
            raise Faulty("bundle-missing", first, end, f"there is no {bundle.path}, but {Tile(0, number).path} is")
        widths = [noted.size - first for noted in self._noted if first < noted.size < first + BUNDLE]
        leaves = b""
        if widths:
            tile = Tile(0, number, widths[-1])
            leaves = self._files.read(tile.path) or b""
            if len(leaves) != tile.byte_count:
                raise Faulty("tile-missing", first, first + tile.width, f"there is no {tile.path} of that width")
            self._check_partial(tile.path, leaves, first, first + tile.width)
        if bundle.width < BUNDLE:
            return Piece(first, end, b"", leaves)
        level_one, place = divmod(number, BUNDLE)
        above = self.tile(1, level_one, min(BUNDLE, self._total // BUNDLE - level_one * BUNDLE))
        return Piece(first, end, b"", leaves, root=above[place * HASH_BYTES : (place + 1) * HASH_BYTES])


def _numbers(files: Files) -> Iterator[int]:
    """The bundles that are there; what else lies in the folder is none of this log."""
    for name in files.names():
        try:
            found = parse_path(name)
        except NotATile:
            continue
        if isinstance(found, Bundle) and found.width == BUNDLE:
            yield found.number
