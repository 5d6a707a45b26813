"""Ranges that were checked apart, joined in their order: sequences, times, manifests, the tree, the claimed roots."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from services.compliance.log.hashing import HASH_BYTES, fold
from services.compliance.log.tree import EMPTY_ROOT, Edge, Subtree
from services.compliance.verify.domain import BUNDLE, Fault, Faulty, Gap, ManifestRow, PruneRecord, Totals
from services.compliance.verify.entries import fallen, out_of_sequence
from services.compliance.verify.manifests import Heads, heads_of
from services.compliance.verify.pieces import Range, check_width
from services.compliance.verify.seals import Claim

Found = tuple[int, Fault]
"""A fault, and the entry that must be read before it can be seen."""

ReadTile = Callable[[int, int, int], bytes]


@dataclass(slots=True)
class Due:
    """What is claimed of sizes in a range, by rising size, and what is wrong with the claims themselves."""

    claims: list[Claim] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    manifests: dict[int, ManifestRow] | None = None
    """By the index of the manifest's entry."""


@dataclass(slots=True)
class Stitched:
    """What follows from the entries below ``size``. ``edge`` is the tree over the roots of its complete bundles."""

    total: int
    tile: ReadTile
    size: int = 0
    edge: Edge = field(default_factory=Edge)
    tail: bytes = b""
    heads: Heads = field(default_factory=lambda: Heads({}))
    recorded_at: str = ""
    totals: Totals = field(default_factory=Totals)
    records: dict[Gap, PruneRecord] = field(default_factory=dict)
    unproved: int = 0
    """How many manifests behind pruned entries count sites whose heads were not known yet."""

    is_uncertain: bool = False
    """Whether entries were pruned and no manifest has followed that says how many each site had."""

    _known: set[str] = field(default_factory=set)
    _roots: dict[Gap, bytes] = field(default_factory=dict)
    _tiles: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def root(self) -> bytes:
        """The RFC 6962 root over the first ``size`` entries."""
        return root_over(self.edge, self.tail)

    def join(self, seen: Range, due: "Due") -> Fault | None:
        """Joins the next range and holds it against what is claimed of sizes in it; returns what is first wrong."""
        found = [
            *self._check_time(seen),
            *([(seen.fault.first, seen.fault)] if seen.fault else []),
            *self._check_heads(seen, due.manifests),
            *self._check_tree(seen, due.claims),
            *((fault.first, fault) for fault in due.faults),
        ]
        if found:
            return min(found, key=lambda one: one[0])[1]
        self.size = seen.task.end
        self.totals.add(seen.totals)
        self._pass_gap(seen)
        self.tail = seen.tails.get(self.size, b"")
        self.recorded_at = seen.order.last_recorded or self.recorded_at
        return None

    def _check_sequences(self, starts: dict[str, tuple[int, int]], first: int, end: int) -> Iterator[Found]:
        for site, (index, sequence) in starts.items():
            if not first <= index < end:
                continue
            due = self.heads.by_site.get(site, 0)
            if self.is_uncertain and site not in self._known and sequence > due:
                due = sequence
            self._known.add(site)
            if sequence != due:
                yield index, Fault("site-sequence", index, index + 1, out_of_sequence(site, sequence, due))

    def _check_time(self, seen: Range) -> Iterator[Found]:
        index, recorded_at = seen.task.first, seen.order.first_recorded
        if recorded_at and recorded_at < self.recorded_at:
            yield index, Fault("recorded-at", index, index + 1, fallen(recorded_at, self.recorded_at))

    def _check_heads(self, seen: Range, rows: dict[int, ManifestRow] | None) -> Iterator[Found]:
        """The sites' sequences from manifest to manifest, and each manifest itself."""
        first, starts = seen.task.first, seen.order.starts
        for manifested in seen.order.manifests:
            index = manifested.index
            yield from self._check_sequences(starts, first, index + 1)
            first = index + 1
            self.heads.grow(manifested.heads)
            if self.is_uncertain and rows is not None:
                self._learn(rows.get(index))
            wrong = self.heads.fault_of(manifested)
            is_open = self.is_uncertain and self.heads.leaves_open(manifested, self._known)
            self.is_uncertain = is_open and wrong is not None
            self.unproved += self.is_uncertain
            if wrong is not None and not is_open:
                yield index, Fault("manifest", index, index + 1, wrong)
            if rows is not None and (wrong := self.heads.fault_of_row(rows.pop(index, None))) is not None:
                yield index, Fault("manifest-row", index, index + 1, wrong)
        yield from self._check_sequences(starts, first, seen.task.end)
        self.heads.grow(seen.order.grown)
        unread = seen.task.first if seen.task.gap else seen.reached
        for index in [index for index in rows or () if index < unread]:
            yield index, Fault("manifest-row", index, index + 1, "there is a row for it, and it is no manifest")

    def _learn(self, row: ManifestRow | None) -> None:
        """Takes the heads that a manifest's row names after pruned entries, for the manifest itself to confirm.

        A head that contradicts an entry that is there is not taken, so that the manifest refutes the row.
        """
        told = heads_of(row) if row is not None else {}
        there = self.heads.by_site
        exact = all(told.get(site) == there[site] for site in self._known)
        if exact and all(told.get(site, 0) >= head for site, head in there.items()):
            self.heads = Heads(told)
        self.is_uncertain = False

    def _pass_gap(self, seen: Range) -> None:
        """Remembers the root over pruned entries, and what entries say of others that were."""
        if seen.task.gap is not None:
            self.is_uncertain = True
            self._known.clear()
            self._roots[seen.task.gap] = self._roots.get(seen.task.gap, b"") + seen.roots
        for record in seen.order.pruned:
            self.records[record.first, record.end] = record

    @property
    def pruned(self) -> dict[Gap, bytes]:
        """The root over each gap that was read from its beginning to its end."""
        return {
            (first, end): fold(roots)
            for (first, end), roots in self._roots.items()
            if len(roots) // HASH_BYTES == (end - first) // BUNDLE
        }

    def _check_tree(self, seen: Range, claims: Sequence[Claim]) -> Iterator[Found]:
        first, done = seen.task.first, 0
        for claim in claims:
            bundles, rest = divmod(claim.size - first, BUNDLE)
            if len(seen.roots) < bundles * HASH_BYTES or (rest and claim.size not in seen.tails):
                return
            yield from self._grow(seen.roots[done * HASH_BYTES : bundles * HASH_BYTES])
            done = bundles
            yield from self._check_claim(seen, claim)
        yield from self._grow(seen.roots[done * HASH_BYTES :])

    def _check_claim(self, seen: Range, claim: Claim) -> Iterator[Found]:
        last = claim.size - 1
        root = root_over(self.edge, seen.tails.get(claim.size, b""))
        if root != claim.root:
            yield last, claim.fault(claim.kind, f"the root of {claim.size} entries is {root.hex()}")
        is_looked_into = seen.task.ours and not seen.task.gap
        if claim.sealed and is_looked_into and all(found.index != last for found in seen.order.manifests):
            yield last, claim.fault("manifest-missing", "the last entry below a checkpoint must be a manifest")

    def _grow(self, roots: bytes) -> Iterator[Found]:
        """Adds complete bundles to the tree, and compares what they complete with the stored tiles."""
        numbers = range(self.edge.size, self.edge.size + len(roots) // HASH_BYTES)
        self.edge, completed = self.edge.grow(roots)
        hashes = [roots[at : at + HASH_BYTES] for at in range(0, len(roots), HASH_BYTES)]
        fresh = [Subtree(1, number, value) for number, value in zip(numbers, hashes, strict=True)]
        fresh += [Subtree(subtree.level + 1, subtree.number, subtree.hash) for subtree in completed]
        for subtree in fresh:
            width = BUNDLE**subtree.level
            first, end = subtree.number * width, (subtree.number + 1) * width
            try:
                stored = self._stored(subtree)
            except Faulty as exc:
                yield end - 1, exc.fault
            else:
                if stored != subtree.hash:
                    yield end - 1, Fault("subtree", first, end, f"the hash over them is {subtree.hash.hex()}")

    def _stored(self, subtree: Subtree) -> bytes:
        number, place = divmod(subtree.number, BUNDLE)
        if self._tiles.get(subtree.level, (-1, b""))[0] != number:
            self._tiles[subtree.level] = (number, self._read(subtree.level, number))
        return self._tiles[subtree.level][1][place * HASH_BYTES : (place + 1) * HASH_BYTES]

    def _read(self, level: int, number: int) -> bytes:
        span = BUNDLE**level
        width = min(BUNDLE, self.total // span - number * BUNDLE)
        tile = self.tile(level, number, width)
        check_width(tile, width, number * BUNDLE * span, (number * BUNDLE + width) * span)
        return tile


def root_over(edge: Edge, tail: bytes) -> bytes:
    """The root over complete bundles, whose roots are the leaves of ``edge``, and the root of an incomplete one."""
    for tile in edge.tiles:
        tail = fold(tile + tail)
    return tail or EMPTY_ROOT
