"""Verifies a log from its first entry, or from where the last verification came to, up to its end."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from services.compliance.log.tree import EMPTY_ROOT
from services.compliance.verify.domain import BUNDLE, Computed, Fault, Faulty, Noted, Reader, Report, Source
from services.compliance.verify.entries import recorded_at_of
from services.compliance.verify.manifests import Heads
from services.compliance.verify.pieces import Task, divide
from services.compliance.verify.seals import Claim, Trust, open_claim
from services.compliance.verify.state import State
from services.compliance.verify.stitch import Due, Stitched
from services.compliance.verify.workers import check_ranges

RANGE = 64 * BUNDLE
"""So many entries are checked at a time by one process."""

UNSEALED = timedelta(minutes=10)
"""So long entries may be recorded without a checkpoint above them, which is due every few seconds."""

Progress = Callable[[int, int], None]
"""Is told how many entries were verified, and of how many."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is verified and how. ``ours`` says that the entries are Steward's and not those of some other log.

    ``since`` is what the last verification kept; without it all is read. ``step``, a multiple of 256, is how many
    entries are checked at a time.
    """

    source: Source
    trust: Trust = field(default_factory=Trust)
    ours: bool = True
    since: State | None = None
    workers: int = 1
    step: int = RANGE
    progress: Progress = lambda done, total: None


def verify(wanted: Verification) -> tuple[Report, State | None]:
    """The report, and what is to be kept for the next time: None after a fault.

    A fault is in the report, never raised. Raises Unavailable when the log can't be read.
    """
    with closing(wanted.source.open()) as reader:
        run = _Run(wanted, reader)
        try:
            run.go()
        except Faulty as exc:
            return run.report(exc.fault), None
        return run.report(None), run.kept()


class _Run:
    def __init__(self, wanted: Verification, reader: Reader) -> None:
        self._wanted = wanted
        self._reader = reader
        self._since = wanted.since or State("", 0, EMPTY_ROOT, (), {}, "")
        self._latest = reader.latest()
        self._origin = self._since.origin
        self._due: dict[int, Due] = {}
        self._checkpoints = 0
        self._stitched = Stitched(
            total=0,
            tile=reader.tile,
            size=self._since.begin,
            edge=self._since.edge,
            heads=Heads(self._since.heads),
            recorded_at=self._since.recorded_at,
        )
        self._snapshot = wanted.since

    def go(self) -> None:
        """Verifies all. Raises Faulty with the first thing that is wrong."""
        wanted, stitched = self._wanted, self._stitched
        stitched.total = self._extent()
        workers = wanted.workers if stitched.total - stitched.size > 2 * wanted.step else 1
        for seen in check_ranges(self._reader, self._tasks(), workers):
            _raise(stitched.join(seen, self._due.pop(seen.task.first)))
            self._take_snapshot()
            wanted.progress(stitched.size, stitched.total)
        self._reader.check(self._computed())
        self._check_sealed()

    def _check_sealed(self) -> None:
        """That the entries above the newest checkpoint are but the last minutes' of the log."""
        size = self._stitched.size
        if not self._wanted.trust.keys or size <= self._sealed:
            return
        since, last = self._unsealed_since, self._stitched.recorded_at
        if datetime.fromisoformat(last) - datetime.fromisoformat(since) > UNSEALED:
            detail = (
                f"there is no checkpoint of more than {self._sealed}, and these were recorded from {since} to {last}"
            )
            raise Faulty("checkpoint", self._sealed, size, detail)

    @property
    def _sealed(self) -> int:
        """Up to where a signature reaches that was checked now, or by the last verification."""
        return max(self._latest.size if self._latest is not None else 0, self._since.size)

    @cached_property
    def _unsealed_since(self) -> str:
        """When the first entry above that was recorded."""
        first = self._sealed - self._sealed % BUNDLE
        pieces = [*self._reader.pieces(first, min(first + BUNDLE, self._stitched.size))]
        piece = next(piece for piece in pieces if self._sealed < piece.end)
        entries, _ = divide(piece.body, piece.first, piece.end)
        return recorded_at_of(entries[self._sealed - piece.first])

    def _extent(self) -> int:
        """How many entries there are. What rests on a checkpoint alone begins with that checkpoint's signature."""
        size = self._reader.size()
        if size is None:
            if self._latest is None:
                raise Faulty("checkpoint", 0, 0, "there is no checkpoint")
            size = self._open(self._latest).size
        since = self._since.size
        if size < 0:
            raise Faulty("head", 0, 0, f"the head counts {size} entries")
        if size < since:
            raise Faulty("consistency", size, since, f"it had {since} entries when it was last verified")
        if self._latest is not None and self._latest.size == self._stitched.size:
            claim = self._open(self._latest)
            if claim.root != self._stitched.root:
                _raise(claim.fault(claim.kind, f"the root of {size} entries is {self._stitched.root.hex()}"))
        self._take_snapshot()
        return size

    def _computed(self) -> Computed:
        stitched, began = self._stitched, self._since.begin
        return Computed(
            size=stitched.size,
            began=began,
            root=stitched.root,
            sequences=None if stitched.is_uncertain else stitched.heads.by_site,
            recorded_at=stitched.recorded_at,
            totals=stitched.totals,
            pruned=stitched.pruned,
            records=stitched.records,
        )

    def _tasks(self) -> Iterator[Task]:
        for first, end in self._ranges():
            due = self._due[first] = self._claims(first, end)
            cuts = tuple({*(claim.size for claim in due.claims), end})
            gap = next((gap for gap in self._reader.gaps if gap[0] <= first < gap[1]), None)
            yield Task(first, end, cuts, self._wanted.ours, gap)

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Whole bundles, with a range that begins where the next verification would."""
        first, total, step = self._stitched.size, self._stitched.total, self._wanted.step
        while first < total:
            ends = (first + step, total, self._anchor_bundle, *(edge for gap in self._reader.gaps for edge in gap))
            end = min(end for end in ends if end > first)
            yield first, end
            first = end

    @property
    def _anchor(self) -> int:
        """Where the next verification would begin: the newest checkpoint, or the end where there is none."""
        return self._latest.size if self._latest is not None else self._stitched.total

    @property
    def _anchor_bundle(self) -> int:
        return self._anchor - self._anchor % BUNDLE

    def _claims(self, first: int, end: int) -> Due:
        due = Due()
        if first < self._since.size <= end:
            due.claims.append(
                Claim(self._since.size, self._since.root, "consistency", self._since.origin, sealed=False)
            )
        for noted in self._reader.checkpoints(first, end):
            try:
                due.claims.append(self._open(noted))
                self._checkpoints += 1
            except Faulty as exc:
                due.faults.append(exc.fault)
        rows = self._reader.manifests(first, end)
        if rows is not None:
            due.manifests = {row.size - 1: row for row in rows}
            due.claims += [Claim(row.size, row.root, "manifest-row", self._origin, sealed=False) for row in rows]
        due.claims.sort(key=lambda claim: claim.size)
        return due

    def _open(self, noted: Noted) -> Claim:
        is_latest = noted == self._latest
        claim = open_claim(noted, self._wanted.trust, needed=self._wanted.trust.needed if is_latest else 0)
        self._origin = self._origin or claim.origin
        if claim.origin != self._origin:
            _raise(claim.fault("checkpoint", f"it is of the log {claim.origin}, and not of {self._origin}"))
        return claim

    def _take_snapshot(self) -> None:
        stitched = self._stitched
        if stitched.size == self._anchor_bundle and not stitched.is_uncertain:
            heads = dict(stitched.heads.by_site)
            self._snapshot = State(self._origin, stitched.size, b"", stitched.edge.tiles, heads, stitched.recorded_at)

    def kept(self) -> State | None:
        """What the next verification begins with, once all is verified; None for the first entry."""
        if self._snapshot is None or self._anchor < self._since.size or self._snapshot is self._wanted.since:
            return self._wanted.since
        root = self._stitched.root if self._latest is None else self._open(self._latest).root
        return msgspec.structs.replace(self._snapshot, origin=self._origin, size=self._anchor, root=root)

    def report(self, fault: Fault | None) -> Report:
        """What was verified so far."""
        stitched = self._stitched
        return Report(
            size=stitched.size,
            root=stitched.root,
            sites=len(stitched.heads.by_site),
            checkpoints=self._checkpoints,
            began=self._since.begin,
            unchecked=[*self._unchecked(), *self._reader.unchecked()],
            fault=fault,
        )

    def _unchecked(self) -> Iterator[str]:
        trust, stitched = self._wanted.trust, self._stitched
        size = stitched.size
        if not trust.keys:
            yield "no key was given: no signature was checked"
        elif not trust.needed:
            yield "no witness was asked for: nobody but the log says that everyone is shown the same one"
        if not self._wanted.ours:
            yield "the entries were hashed and not looked into: neither sequences nor manifests were checked"
        if stitched.unproved:
            yield f"{stitched.unproved} manifests after pruned entries count sites without an entry since: unchecked"
        if self._since.begin:
            yield f"the {self._since.begin} entries that were verified before were not read again"
        if self._latest is None:
            yield "there is no checkpoint yet: the root is the database's own claim"
        elif size > self._latest.size:
            since = f", recorded since {self._unsealed_since}," if size > self._sealed else ""
            yield f"the last {size - self._latest.size} entries{since} are not below a checkpoint yet"


def _raise(fault: Fault | None) -> None:
    if fault is not None:
        raise Faulty(fault.kind, fault.first, fault.end, fault.detail)
