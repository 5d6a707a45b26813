"""The Merkle tree of RFC 6962 §2.1: what a leaf and a node hash to, and the root over any number of leaves.

Hashes stand side by side in bytes, as the tiles of C2SP tlog-tiles hold them.
"""

from dataclasses import dataclass
from hashlib import sha256

from services.compliance.log.hashing import HASH_BYTES, fold

EMPTY_ROOT = sha256(b"").digest()

TILE = 256
"""How many hashes a complete tile has."""

TILE_BYTES = TILE * HASH_BYTES


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Subtree:
    """The root of the ``number``th complete subtree of 256 ** ``level`` leaves."""

    level: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree of ``size`` leaves: for each level the hashes of its incomplete tile, side by side.

    It is all that a growing tree needs. Raises ValueError unless the tiles are as wide as ``size`` says.
    """

    size: int = 0
    tiles: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        widths = [len(tile) for tile in self.tiles]
        due = [(self.size >> (8 * level)) % TILE * HASH_BYTES for level in range(len(widths))]
        if self.size < 0 or self.size >> (8 * len(widths)) or widths != due:
            raise ValueError(f"the right edge of {self.size} leaves has tiles of {due} bytes, not of {widths}")

    def grow(self, leaves: bytes) -> tuple["Edge", list[Subtree]]:
        """The tree with more leaves, given by their hashes side by side, and the subtrees that they complete."""
        size = self.size + len(leaves) // HASH_BYTES
        tiles: list[bytes] = []
        completed: list[Subtree] = []
        fresh = leaves
        while size >> (8 * len(tiles)):
            level = len(tiles)
            tile = (self.tiles[level] if level < len(self.tiles) else b"") + fresh
            whole = len(tile) - len(tile) % TILE_BYTES
            roots = [fold(tile[at : at + TILE_BYTES]) for at in range(0, whole, TILE_BYTES)]
            first = self.size >> (8 * (level + 1))
            completed += [Subtree(level + 1, number, root) for number, root in enumerate(roots, start=first)]
            tiles.append(tile[whole:])
            fresh = b"".join(roots)
        return Edge(size, tuple(tiles)), completed

    @property
    def root(self) -> bytes:
        """The root over all leaves (RFC 6962 §2.1); of none, the hash of nothing."""
        if not self.size:
            return EMPTY_ROOT
        ragged = b""
        for tile in self.tiles:
            ragged = fold(tile + ragged)
        return ragged
