"""The Merkle tree of RFC 6962 §2.1: what a leaf and a node hash to, and the root over any number of leaves.

A Frontier is all that a growing tree needs to keep: the roots of the perfect subtrees that its leaves fill, largest
first, one for each 1 in the binary form of its size.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Self

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves, by its perfect subtrees. Raises ValueError unless there is a hash for each."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count() or any(len(h) != HASH_BYTES for h in self.hashes):
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees of {HASH_BYTES} bytes")

    def extend(self, leaves: Iterable[bytes]) -> Self:
        """The tree with more leaves, given by their hashes, at its end."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            node, width = leaf, size
            while width & 1:
                node = node_hash(hashes.pop(), node)
                width >>= 1
            hashes.append(node)
            size += 1
        return type(self)(size, tuple(hashes))

    @property
    def root(self) -> bytes:
        """The root over all leaves; of none, the hash of nothing."""
        if not self.hashes:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.hashes))
