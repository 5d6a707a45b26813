"""Cuts a growing log into the bundles and tiles of C2SP tlog-tiles, in constant memory, and writes nothing itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.compliance.log.hashing import LENGTH_BYTES, fold, leaf_hashes
from services.compliance.log.tiles import TILE_BITS, TILE_WIDTH, Bundle, NotATile, Tile, edge_of
from services.compliance.log.tree import Edge

Resource = tuple[Tile | Bundle, bytes]
"""A bundle or a tile, and its bytes."""


class Tiling:
    """A log that takes entries and gives away each bundle and tile as it becomes full.

    It may begin at the right edge of a tree that lies elsewhere: ``entries`` are those of its unfinished bundle.
    Raises NotATile unless the edge holds their hashes.
    """

    def __init__(self, edge: Edge | None = None, entries: Sequence[bytes] = ()) -> None:
        leaves, *above = (edge.tiles if edge else ()) or (b"",)
        if leaf_hashes(entries) != leaves:
            raise NotATile(f"these {len(entries)} entries are not those of the tree's unfinished bundle")
        self._size = edge.size if edge else 0
        self._entries = list(entries)
        self._above = [bytearray(tile) for tile in above]

    @property
    def edge(self) -> Edge:
        """The tree over all entries taken so far, by its right edge."""
        tiles = (leaf_hashes(self._entries), *(bytes(tile) for tile in self._above))
        return Edge(self._size, tiles if self._size else ())

    def extend(self, entries: Iterable[bytes]) -> Iterator[Resource]:
        """Takes the entries, as the caller iterates, and gives what they fill: a bundle, then its tiles.

        Raises NotATile for an entry that does not fit into a bundle; those before it are taken.
        """
        for entry in entries:
            if len(entry) >> 8 * LENGTH_BYTES:
                raise NotATile(f"entry {self._size} has {len(entry)} bytes; the limit is {0xFFFF}")
            self._entries.append(entry)
            self._size += 1
            if len(self._entries) == TILE_WIDTH:
                yield from self._full()

    def unfinished(self) -> Iterator[Resource]:
        """The partial bundle and the partial tiles of the tree as it is now."""
        edge = self.edge
        if self._entries:
            yield Bundle(edge.size // TILE_WIDTH, len(self._entries)), self._joined()
        for tile in edge_of(edge.size):
            yield tile, edge.tiles[tile.level]

    def _full(self) -> Iterator[Resource]:
        number = self._size // TILE_WIDTH - 1
        yield Bundle(number), self._joined()
        tile = leaf_hashes(self._entries)
        self._entries.clear()
        yield Tile(0, number), tile
        for level, above in enumerate(self._grown(), start=1):
            above += fold(tile)
            if len(above) < len(tile):
                break
            tile = bytes(above)
            above.clear()
            yield Tile(level, (self._size >> TILE_BITS * (level + 1)) - 1), tile

    def _grown(self) -> Iterator[bytearray]:
        """The levels above the leaves, without end."""
        yield from self._above
        while True:
            self._above.append(bytearray())
            yield self._above[-1]

    def _joined(self) -> bytes:
        return b"".join([len(entry).to_bytes(LENGTH_BYTES) + entry for entry in self._entries])


def edge_from(size: int, tiles: Mapping[Tile, bytes]) -> Edge:
    """The right edge of a tree of ``size``, from the tiles that `edge_of` names."""
    hashes = {tile.level: tiles[tile] for tile in edge_of(size)}
    levels = -(-size.bit_length() // TILE_BITS)
    return Edge(size, tuple(hashes.get(level, b"") for level in range(levels)))
