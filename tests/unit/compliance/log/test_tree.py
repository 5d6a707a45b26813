"""The tree against RFC 6962's own definition and Certificate Transparency's published vectors."""

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.tree import EMPTY_ROOT, Edge, Subtree

CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 §2.1 writes it down."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def some_leaves(count: int, seed: int = 0) -> list[bytes]:
    """``count`` hashes that differ."""
    random = Random(seed)
    return [random.randbytes(32) for _ in range(count)]


def test_published_vectors() -> None:
    """The trees of 1 to 8 leaves have the roots that Certificate Transparency's reference implementation gives."""
    leaves = leaf_hashes([bytes.fromhex(leaf) for leaf in CT_LEAVES])
    assert [Edge().grow(leaves[: size * 32])[0].root.hex() for size in range(1, 9)] == CT_ROOTS
    assert Edge().root.hex() == EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_every_size_to_600_grown_leaf_by_leaf() -> None:
    """An edge that takes one leaf at a time has the defined root at each size."""
    leaves = some_leaves(600)
    edge = Edge()
    for size in range(601):
        assert edge.size == size
        assert edge.root == defined_root(leaves[:size])
        edge, _ = edge.grow(b"".join(leaves[size : size + 1]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5), st.integers())
def test_batches_of_any_size_give_the_same_tree(batches: list[int], seed: int) -> None:
    """How leaves are batched leaves no trace in the root, the edge, or the subtrees that were completed."""
    leaves = b"".join(some_leaves(sum(batches), seed))
    edge, at, completed = Edge(), 0, []
    for batch in batches:
        edge, fresh = Edge(edge.size, edge.tiles).grow(leaves[at * 32 : (at + batch) * 32])
        completed += fresh
        at += batch
    at_once, together = Edge().grow(leaves)
    assert edge == at_once
    assert sorted(completed, key=place) == sorted(together, key=place)
    assert edge.root == defined_root([leaves[at : at + 32] for at in range(0, len(leaves), 32)])


def test_subtrees_of_three_levels() -> None:
    """Of 65,536 + 300 leaves, 257 subtrees of 256 and one of 65,536 are complete, with the defined roots."""
    leaves = some_leaves(65_836)
    edge, completed = Edge().grow(b"".join(leaves))
    assert [(subtree.level, subtree.number) for subtree in completed] == [(1, n) for n in range(257)] + [(2, 0)]
    assert completed[256].hash == defined_root(leaves[65_536 : 65_536 + 256])
    assert completed[257].hash == defined_root(leaves[:65_536])
    assert [len(tile) // 32 for tile in edge.tiles] == [44, 1, 1]
    assert edge.root == defined_root(leaves)


def place(subtree: Subtree) -> tuple[int, int]:
    """The order of subtrees by level and number."""
    return subtree.level, subtree.number


@pytest.mark.parametrize(
    ("size", "tiles"), [(1, ()), (0, (bytes(32),)), (3, (bytes(32),)), (1, (b"x",)), (-1, ()), (256, (b"",))]
)
def test_edge_that_does_not_fit_its_size_is_refused(size: int, tiles: tuple[bytes, ...]) -> None:
    """The widths of the incomplete tiles are the digits of the size to the base of 256."""
    with pytest.raises(ValueError, match="right edge"):
        Edge(size, tiles)
