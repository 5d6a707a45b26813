"""Proofs over the tree of RFC 6962 §2.1: that an entry is in it, and that it has only grown since it was smaller.

A node of a proof is the hash over a span of leaves. Spans are computed from numbers alone, so a Plan names the tiles
that hold all that many proofs need, before anything is read; and a verifier knows which span each node must be.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

from services.compliance.log.hashing import HASH_BYTES, fold
from services.compliance.log.tiles import TILE_BITS, TILE_WIDTH, NotATile, Tile, check_tile
from services.compliance.log.tree import EMPTY_ROOT, TILE_BYTES, node_hash
from shared.errors import StewardError

Proof = list[bytes]
Span = tuple[int, int]
"""The leaves from the first index up to the second. In a tree, it begins where its largest perfect subtree may."""


class NotProved(StewardError):
    """The proof does not show what it should; says why."""


class PerfectSubtree(NamedTuple):
    """The perfect subtree over the 2**level leaves from index ``number * 2**level`` on."""

    level: int
    number: int

    @property
    def place(self) -> tuple[int, int]:
        """Level and number of the tile whose hashes this subtree is over."""
        return self.level // TILE_BITS, self.number >> TILE_BITS - self.level % TILE_BITS

    def tile(self, size: int) -> Tile:
        """The tile, as a tree of ``size`` leaves has it, whose hashes this subtree is over."""
        level, number = self.place
        return Tile(level, number, min(TILE_WIDTH, (size >> TILE_BITS * level) - number * TILE_WIDTH))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a tree of ``size`` leaves: for each answer, the spans that it has the hashes of."""

    size: int
    answers: Sequence[Sequence[Span]]

    @property
    def subtrees(self) -> set[PerfectSubtree]:
        """All perfect subtrees that the answers are made of."""
        spans = {span for answer in self.answers for span in answer}
        return {subtree for span in spans for subtree in subtrees_of(span)}

    @property
    def tiles(self) -> set[Tile]:
        """The tiles to read; each holds hashes that the answers are made of."""
        one_each = {subtree.place: subtree for subtree in self.subtrees}
        return {subtree.tile(self.size) for subtree in one_each.values()}

    def solve(self, tiles: Mapping[Tile, bytes]) -> list[Proof]:
        """The answers, from the bytes of the tiles. Raises NotATile when one is missing or has another width."""
        hashes = _Hashes(self.size, tiles)
        return [[hashes.over(span) for span in spans] for spans in self.answers]


def plan_inclusions(indices: Iterable[int], size: int) -> Plan:
    """Proves for each index that its leaf is in the tree of ``size``. Raises ValueError for one that is not."""
    return Plan(size, [inclusion_spans(index, size) for index in indices])


def plan_consistency(old_size: int, new_size: int) -> Plan:
    """Proves that the tree of ``new_size`` begins with that of ``old_size``. Raises ValueError unless it can."""
    return Plan(new_size, [consistency_spans(old_size, new_size)])


def plan_roots(sizes: Iterable[int], size: int) -> Plan:
    """The root that the tree had at each of ``sizes``, one for an answer. Raises ValueError for one beyond ``size``."""
    spans = [(0, smaller) for smaller in sizes]
    if any(not 0 <= smaller <= size for _, smaller in spans):
        raise ValueError(f"a tree of {size} leaves has had no other sizes than 0 to {size}")
    return Plan(size, [[span] for span in spans])


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The spans of an inclusion proof, from the leaf upwards (RFC 6962 §2.1.1). Raises ValueError beyond the tree."""
    if not 0 <= index < size:
        raise ValueError(f"index {index} is not in a tree of {size} leaves, whose first is 0")
    return [sibling for sibling, _ in _descend(index, size)][::-1]


def consistency_spans(old_size: int, new_size: int) -> list[Span]:
    """The spans of a consistency proof, from the old tree's edge upwards (RFC 6962 §2.1.2).

    Nothing needs to be shown of an old tree that is empty or the new one itself. Raises ValueError for a larger one.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"the old size {old_size} must be 0 to {new_size}, the new size")
    if old_size in (0, new_size):
        return []
    spans: list[Span] = []
    for sibling, (start, end) in _descend(old_size - 1, new_size):
        spans.append(sibling)
        if end == old_size:
            spans += [(start, end)] if start else []
            break
    return spans[::-1]


def subtrees_of(span: Span) -> Iterator[PerfectSubtree]:
    """The perfect subtrees that a span of a tree is made of, largest first."""
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        yield PerfectSubtree(level, start >> level)
        start += 1 << level


def climb(index: int, spans: Sequence[Span], leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that the leaf at ``index`` leads to, by the hashes over the spans of its inclusion proof."""
    computed = leaf
    for (start, _), node in zip(spans, proof, strict=True):
        computed = node_hash(computed, node) if start > index else node_hash(node, computed)
    return computed


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Returns when the leaf hash is shown to stand at ``index`` in the tree of that root; raises NotProved."""
    spans = _expected(lambda: inclusion_spans(index, size), proof, [leaf, root])
    if climb(index, spans, leaf, proof) != root:
        raise NotProved(f"with this proof, the leaf at {index} leads to another root of {size} entries")


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Returns when the new tree is shown to begin with the whole old one; raises NotProved."""
    spans = _expected(lambda: consistency_spans(old_size, new_size), proof, [old_root, new_root])
    if old_size == 0:
        old = EMPTY_ROOT
        new = new_root if new_size else EMPTY_ROOT
    else:
        old, new = _climb_both(old_size, old_root, spans, proof)
    if old != old_root:
        raise NotProved(f"the old tree of {old_size} entries has another root than the proof leads to")
    if new != new_root:
        raise NotProved(f"the tree of {new_size} entries does not begin with the {old_size} entries of the old root")


def _climb_both(old_size: int, old_root: bytes, spans: Sequence[Span], proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The roots of both trees. The old root itself is where the climb begins, if its tree is one perfect subtree."""
    old = new = old_root
    for (start, end), node in zip(spans, proof, strict=True):
        if end == old_size:
            old = new = node
        elif start >= old_size:
            new = node_hash(new, node)
        else:
            old, new = node_hash(node, old), node_hash(node, new)
    return old, new


def _expected(spans: Callable[[], list[Span]], proof: Sequence[bytes], ends: Sequence[bytes]) -> list[Span]:
    try:
        expected = spans()
    except ValueError as exc:
        raise NotProved(str(exc)) from exc
    if len(proof) != len(expected):
        raise NotProved(f"the proof must have {len(expected)} hashes, and has {len(proof)}")
    if any(len(node) != HASH_BYTES for node in (*proof, *ends)):
        raise NotProved(f"every hash must have {HASH_BYTES} bytes")
    return expected


def _descend(index: int, size: int) -> Iterator[tuple[Span, Span]]:
    """The way from the root down to a leaf: at each step the span that is left aside, and the one that is taken."""
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            aside, end = (middle, end), middle
        else:
            aside, start = (start, middle), middle
        yield aside, (start, end)


class _Hashes:
    """The nodes of a tree, each computed once from the tiles."""

    def __init__(self, size: int, tiles: Mapping[Tile, bytes]) -> None:
        self._size = size
        self._tiles = tiles
        self._bodies: dict[tuple[int, int], bytes] = {}
        self._hashes: dict[Span, bytes] = {}

    def over(self, span: Span) -> bytes:
        """The hash over a span; over none, the hash of nothing."""
        found = self._hashes.get(span)
        if found is None:
            hashes = [fold(self._below(subtree)) for subtree in subtrees_of(span)] or [EMPTY_ROOT]
            found = self._hashes[span] = reduce(lambda right, left: node_hash(left, right), reversed(hashes))
        return found

    def _below(self, subtree: PerfectSubtree) -> bytes:
        """The hashes of the tile that the subtree is over."""
        body = self._bodies.get(subtree.place)
        if body is None:
            body = self._bodies[subtree.place] = self._body(subtree.tile(self._size))
        width = HASH_BYTES << subtree.level % TILE_BITS
        at = subtree.number * width % TILE_BYTES
        return body[at : at + width]

    def _body(self, tile: Tile) -> bytes:
        if tile not in self._tiles:
            raise NotATile(f"{tile.path} is missing")
        check_tile(tile, self._tiles[tile])
        return self._tiles[tile]
