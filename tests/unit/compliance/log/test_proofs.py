"""Proofs against RFC 6962's own recursive definitions, Certificate Transparency's vectors, and every kind of damage."""

from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.compliance.log.proofs import (
    NotProved,
    Plan,
    Proof,
    plan_consistency,
    plan_inclusions,
    plan_roots,
    verify_consistency,
    verify_inclusion,
)
from services.compliance.log.tiles import NotATile, Tile, edge_of, tiles_of
from services.compliance.log.tree import EMPTY_ROOT, Edge, leaf_hash, node_hash
from tests.unit.compliance.log.test_tree import CT_LEAVES, CT_ROOTS, some_leaves

SIZES = 600


class DefinedTree:
    """A tree by the definitions of RFC 6962 §2.1, word for word, over the leaves from ``start`` up to ``end``."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves
        self.root = cache(self._root)

    def _root(self, start: int, end: int) -> bytes:
        if start == end:
            return EMPTY_ROOT
        if end - start == 1:
            return self.leaves[start]
        k = largest_power_below(end - start)
        return node_hash(self.root(start, start + k), self.root(start + k, end))

    def path(self, m: int, start: int, end: int) -> Proof:
        """PATH(m, D[start:end]) of §2.1.1."""
        if end - start == 1:
            return []
        k = largest_power_below(end - start)
        if m < k:
            return [*self.path(m, start, start + k), self.root(start + k, end)]
        return [*self.path(m - k, start + k, end), self.root(start, start + k)]

    def subproof(self, m: int, start: int, end: int, is_known: bool) -> Proof:
        """SUBPROOF(m, D[start:end], b) of §2.1.2."""
        if m == end - start:
            return [] if is_known else [self.root(start, end)]
        k = largest_power_below(end - start)
        if m <= k:
            return [*self.subproof(m, start, start + k, is_known), self.root(start + k, end)]
        return [*self.subproof(m - k, start + k, end, False), self.root(start, start + k)]

    def tiles(self, size: int) -> dict[Tile, bytes]:
        """The tiles of the tree of ``size``, each hash by the definition of C2SP tlog-tiles."""
        return {tile: b"".join(self.hashes(tile)) for tile in tiles_of(size)}

    def hashes(self, tile: Tile) -> Iterator[bytes]:
        """MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l]) for each i of the tile."""
        for i in range(tile.width):
            yield self.root((tile.number * 256 + i) * 256**tile.level, (tile.number * 256 + i + 1) * 256**tile.level)


def largest_power_below(count: int) -> int:
    """The largest power of two that is less than ``count``."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def solve(plan: Plan, tree: DefinedTree) -> list[Proof]:
    """The answers of a plan, from the tiles it names and no other."""
    return plan.solve({tile: b"".join(tree.hashes(tile)) for tile in plan.tiles})


TREE = DefinedTree(some_leaves(SIZES))
LARGE = DefinedTree(some_leaves(70_000))


@pytest.mark.parametrize("first", range(1, 7))
def test_every_inclusion_in_every_tree_to_600(first: int) -> None:
    """Each index's proof is the defined path, all of one size come from one plan, and each is accepted."""
    for size in range(first, SIZES + 1, 6):
        proofs = plan_inclusions(range(size), size).solve(TREE.tiles(size))
        root = TREE.root(0, size)
        for index, proof in enumerate(proofs):
            assert proof == TREE.path(index, 0, size)
            verify_inclusion(index, size, TREE.leaves[index], proof, root)


@pytest.mark.parametrize("first", range(1, 7))
def test_consistency_of_trees_to_600(first: int) -> None:
    """The defined proof leads from every 29th older tree, and from those next to powers of two, to each newer one."""
    powers = [1 << bit for bit in range(10)]
    for new in range(first, SIZES + 1, 6):
        tiles = TREE.tiles(new)
        olds = {*range(1 + new % 29, new, 29), new, *powers, *(power + 1 for power in powers), new - 1}
        for old in (old for old in olds if 0 < old <= new):
            [proof] = plan_consistency(old, new).solve(tiles)
            assert proof == TREE.subproof(old, 0, new, True)
            verify_consistency(old, new, TREE.root(0, old), TREE.root(0, new), proof)


def test_root_of_every_tree_to_600_from_its_edge() -> None:
    """The root at a size needs the partial tiles of that size alone, and is that of the edge it has grown to."""
    for size in range(SIZES + 1):
        plan = plan_roots([size], size)
        [[root]] = plan.solve({tile: b"".join(TREE.hashes(tile)) for tile in plan.tiles})
        assert root == Edge().grow(b"".join(TREE.leaves[:size]))[0].root
        assert plan.tiles == set(edge_of(size))


@settings(max_examples=40)
@given(st.data())
def test_trees_of_three_levels_of_tiles(data: st.DataObject) -> None:
    """Random proofs of trees up to 70,000 are the defined ones, and read no more than a tile for each level twice."""
    size = data.draw(st.integers(1, 70_000) | st.sampled_from([65_535, 65_536, 65_537, 65_792, 65_793]))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = LARGE.root(0, size)
    inclusion, consistency = plan_inclusions([index], size), plan_consistency(old, size)
    assert solve(inclusion, LARGE) == [LARGE.path(index, 0, size)]
    assert solve(consistency, LARGE) == [LARGE.subproof(old, 0, size, True)]
    assert solve(plan_roots([old, 0], size), LARGE) == [[LARGE.root(0, old)], [EMPTY_ROOT]]
    verify_inclusion(index, size, LARGE.leaves[index], LARGE.path(index, 0, size), root)
    verify_consistency(old, size, LARGE.root(0, old), root, LARGE.subproof(old, 0, size, True))
    assert max(len(inclusion.tiles), len(consistency.tiles)) <= 2 * 3


def test_published_tree() -> None:
    """Certificate Transparency's tree of eight leaves: a proof of each leaf, and between all sizes."""
    tree = DefinedTree([leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES])
    roots = [bytes.fromhex(root) for root in CT_ROOTS]
    for new in range(1, 9):
        for index, proof in enumerate(solve(plan_inclusions(range(new), new), tree)):
            verify_inclusion(index, new, tree.leaves[index], proof, roots[new - 1])
        for old in range(1, new + 1):
            [proof] = solve(plan_consistency(old, new), tree)
            verify_consistency(old, new, roots[old - 1], roots[new - 1], proof)


def damaged(proof: Proof, random: Random) -> Iterator[Proof]:
    """The proof with a node flipped in one bit, dropped, doubled, foreign, cut, and with neighbours swapped."""
    for at, node in enumerate(proof):
        flipped = bytearray(node)
        flipped[random.randrange(32)] ^= 1 << random.randrange(8)
        before, after = proof[:at], proof[at + 1 :]
        yield [*before, bytes(flipped), *after]
        yield [*before, *after]
        yield [*before, node, node, *after]
        yield [*before, random.randbytes(32), node, *after]
        yield [*before, node[:-1], *after]
        if after and after[0] != node:
            yield [*before, after[0], node, *after[1:]]
    yield [*proof, random.randbytes(32)]
    yield [*proof, b""]


@settings(max_examples=60)
@given(st.data())
def test_no_damaged_inclusion_proof_is_accepted(data: st.DataObject) -> None:
    """Nor a sound one for another index, leaf or root, or for a size that gives the index another path."""
    size = data.draw(st.integers(2, SIZES))
    index = data.draw(st.integers(0, size - 1))
    proof, root, leaf = TREE.path(index, 0, size), TREE.root(0, size), TREE.leaves[index]
    for bad in damaged(proof, Random(size)):
        with pytest.raises(NotProved):
            verify_inclusion(index, size, leaf, bad, root)
    for other in {0, index - 1, index + 1, size - 1, size, -1} - {index}:
        with pytest.raises(NotProved):
            verify_inclusion(other, size, leaf, proof, root)
    for other_leaf, other_root in [(root, root), (leaf, leaf), (leaf, TREE.root(0, size - 1)), (leaf, root[1:])]:
        with pytest.raises(NotProved):
            verify_inclusion(index, size, other_leaf, proof, other_root)
    for other_size in (index, -size, 0, 4 * size):
        with pytest.raises(NotProved):
            verify_inclusion(index, other_size, leaf, proof, root)


@settings(max_examples=60)
@given(st.data())
def test_no_damaged_consistency_proof_is_accepted(data: st.DataObject) -> None:
    """Nor a sound one between other roots, nor with old and new exchanged."""
    new = data.draw(st.integers(2, SIZES))
    old = data.draw(st.integers(1, new - 1))
    proof, old_root, new_root = TREE.subproof(old, 0, new, True), TREE.root(0, old), TREE.root(0, new)
    for bad in damaged(proof, Random(new)):
        with pytest.raises(NotProved):
            verify_consistency(old, new, old_root, new_root, bad)
    for sizes, roots in [
        ((new, old), (new_root, old_root)),
        ((old, new), (new_root, old_root)),
        ((old, new), (new_root, new_root)),
        ((old, new), (old_root, old_root)),
        ((old, new), (TREE.leaves[-1], new_root)),
        ((old, new), (old_root, new_root[:31])),
        ((-1, new), (old_root, new_root)),
        ((old, 4 * new), (old_root, new_root)),
    ]:
        with pytest.raises(NotProved):
            verify_consistency(*sizes, *roots, proof)


def test_the_empty_tree() -> None:
    """It begins every tree, has the hash of nothing as its root, and holds no leaf."""
    root = TREE.root(0, 5)
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    verify_consistency(0, 5, EMPTY_ROOT, root, [])
    verify_consistency(5, 5, root, root, [])
    for sizes, roots, proof in [
        ((0, 5), (root, root), []),
        ((0, 0), (EMPTY_ROOT, root), []),
        ((0, 5), (EMPTY_ROOT, root), [root]),
        ((5, 5), (root, root), [root]),
        ((5, 5), (root, TREE.root(0, 4)), []),
    ]:
        with pytest.raises(NotProved):
            verify_consistency(*sizes, *roots, proof)
    with pytest.raises(NotProved, match="index 0 is not in a tree of 0"):
        verify_inclusion(0, 0, root, [], EMPTY_ROOT)


def test_a_plan_is_not_solved_from_other_tiles() -> None:
    """One that is missing and one that is cut are named."""
    plan = plan_inclusions([3], 300)
    tiles = {tile: b"".join(TREE.hashes(tile)) for tile in plan.tiles}
    assert plan.tiles == {Tile(0, 0), Tile(0, 1, 44)}
    with pytest.raises(NotATile, match=r"tile/0/001\.p/44 is missing"):
        plan.solve({Tile(0, 0): tiles[Tile(0, 0)]})
    with pytest.raises(NotATile, match=r"tile/0/001\.p/44 must have 1408 bytes for 44 hashes, and has 1376"):
        plan.solve({**tiles, Tile(0, 1, 44): tiles[Tile(0, 1, 44)][32:]})


def test_plans_beyond_the_tree_are_refused() -> None:
    """No index beyond the size, and no old tree that is larger than the new one."""
    for index in (-1, 7, 8):
        with pytest.raises(ValueError, match="is not in a tree of 7"):
            plan_inclusions([index], 7)
    for old in (-1, 8):
        with pytest.raises(ValueError, match="must be 0 to 7"):
            plan_consistency(old, 7)
        with pytest.raises(ValueError, match="no other sizes than 0 to 7"):
            plan_roots([old], 7)
