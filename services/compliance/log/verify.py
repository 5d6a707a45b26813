"""`steward log verify`: reads the whole log and computes all of it again.

Nothing that the log says of itself is believed: indices must be dense, entries well-formed, each site's sequence dense,
leaf hashes and roots those of the entries' bytes, and the index what the entries say. The first thing that is wrong
is named by its entry and its kind. It shares the entry format and the tree with the code that appends, nothing else.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal, Protocol

from pydantic import AwareDatetime, BaseModel, ValidationError

from services.compliance.log.domain import Claim, Indexed, Root, Stored
from services.compliance.log.entry import Entry, NotAnEntry, parse_entry
from services.compliance.log.tree import Frontier, leaf_hash
from shared.events.envelope import first_fault

Kind = Literal[
    "entry-missing",
    "entry-repeated",
    "entry-beyond-head",
    "entry-format",
    "leaf-hash",
    "site-sequence",
    "event",
    "site",
    "index-missing",
    "index",
    "root",
    "root-missing",
    "root-beyond-head",
    "recorded-at",
    "head",
    "next-sequence",
]
"""What can be wrong. ``index`` is the row that an entry is found by, ``event`` an envelope that can't be read."""

INDEXED = tuple(column.name for column in fields(Indexed))
PROGRESS_EVERY = 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong. ``index`` is the entry it concerns; for the head, the log's size."""

    index: int
    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"entry {self.index}: {self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Report:
    """What was read and computed up to the end, or up to the fault. ``root`` is over the first ``size`` entries."""

    size: int
    root: bytes
    roots: int
    sites: int
    fault: Fault | None


class EntrySource(Protocol):
    """Where a log is read from. ``claim`` is asked first."""

    async def claim(self) -> Claim:
        """What the log says of itself."""

    def stored(self) -> AsyncGenerator[Stored]:
        """What is stored below the claimed size, by rising index; beyond it, only what contradicts the claim."""

    def roots(self) -> AsyncGenerator[Root]:
        """The recorded roots, by rising size; beyond the claimed size, only what contradicts the claim."""


Progress = Callable[[int, int], None]
"""Is told how many entries were verified, and of how many."""


class _Envelope(BaseModel):
    """The members of an event that the index repeats."""

    id: str
    type: str
    subject: str
    time: AwareDatetime
    siteid: str
    actor: str
    correlationid: str
    causationid: str | None = None


class _Faulty(Exception):
    def __init__(self, index: int, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(index, kind, detail)


@dataclass
class _Computed:
    """What follows from the entries read so far."""

    frontier: Frontier = field(default_factory=Frontier)
    sequences: dict[str, int] = field(default_factory=dict)
    roots: int = 0
    recorded_at: datetime | None = None


async def verify(source: EntrySource, progress: Progress = lambda done, total: None) -> Report:
    """Verifies the log behind ``source``; a fault is in the report, never raised."""
    claim = await source.claim()
    computed = _Computed()
    fault = None
    try:
        async with aclosing(source.stored()) as stored, aclosing(source.roots()) as roots:
            await _read(stored, roots, claim, computed, progress)
        _check_claim(claim, computed)
    except _Faulty as exc:
        fault = exc.fault
    frontier = computed.frontier
    return Report(frontier.size, frontier.root, computed.roots, len(computed.sequences), fault)


async def _read(
    entries: AsyncIterator[Stored],
    roots: AsyncIterator[Root],
    claim: Claim,
    computed: _Computed,
    progress: Progress,
) -> None:
    batch: Root | None = None
    async for stored in entries:
        index = computed.frontier.size
        _check_index(stored, index, claim)
        batch = batch or _check_batch(await anext(roots, None), index, claim)
        leaf = _check_stored(stored, batch, computed.sequences)
        computed.frontier = computed.frontier.extend([leaf])
        if batch.size == computed.frontier.size:
            _check_root(batch, computed)
            batch = None
        if computed.frontier.size % PROGRESS_EVERY == 0:
            progress(computed.frontier.size, claim.size)
    size = computed.frontier.size
    if size < claim.size:
        raise _Faulty(size, "entry-missing", f"the head counts {claim.size} entries, and this one is not there")
    if (further := await anext(roots, None)) is not None:
        raise _Faulty(size, "root-beyond-head", f"a root of {further.size} entries is recorded, the head counts {size}")
    progress(size, claim.size)


def _check_index(stored: Stored, expected: int, claim: Claim) -> None:
    if stored.index < expected:
        raise _Faulty(stored.index, "entry-repeated", "two entries have this index")
    if stored.index > expected and expected < claim.size:
        raise _Faulty(expected, "entry-missing", f"the next one that is there is {stored.index}")
    if stored.index >= claim.size:
        raise _Faulty(stored.index, "entry-beyond-head", f"the head counts {claim.size} entries")


def _check_batch(batch: Root | None, index: int, claim: Claim) -> Root:
    if batch is None:
        raise _Faulty(index, "root-missing", "no root is recorded over this entry")
    if batch.previous_size != index or batch.size <= index:
        there = f"the next one tells of entries {batch.previous_size} to {batch.size - 1}"
        raise _Faulty(index, "root-missing", f"no root tells of the batch that begins here; {there}")
    if batch.size > claim.size:
        raise _Faulty(index, "root-beyond-head", f"a root of {batch.size} is recorded, the head counts {claim.size}")
    return batch


def _check_stored(stored: Stored, batch: Root, sequences: dict[str, int]) -> bytes:
    """Returns the leaf hash that follows from the entry's bytes."""
    if stored.entry is None:
        raise _Faulty(
            stored.index, "entry-missing", "its bytes are gone, or its chunk does not divide into its entries"
        )
    leaf = leaf_hash(stored.entry)
    if stored.leaf_hash != leaf:
        raise _Faulty(stored.index, "leaf-hash", f"the entry's bytes hash to {leaf.hex()}, which is not what is stored")
    try:
        entry = parse_entry(stored.entry)
    except NotAnEntry as exc:
        raise _Faulty(stored.index, "entry-format", str(exc)) from exc
    expected = sequences.get(entry.site_id, 0)
    if entry.site_sequence != expected:
        detail = f"it is number {entry.site_sequence} of site {entry.site_id}, and number {expected} is due"
        raise _Faulty(stored.index, "site-sequence", detail)
    sequences[entry.site_id] = expected + 1
    if entry.recorded_at != batch.recorded_at:
        detail = f"the entry says {entry.recorded_at.isoformat()}, its batch {batch.recorded_at.isoformat()}"
        raise _Faulty(stored.index, "recorded-at", detail)
    _check_indexed(stored, entry)
    return leaf


def _check_indexed(stored: Stored, entry: Entry) -> None:
    derived = _derive(stored.index, entry)
    if stored.indexed is None:
        raise _Faulty(stored.index, "index-missing", "no search can find this entry")
    for column in INDEXED:
        there, due = getattr(stored.indexed, column), getattr(derived, column)
        if there != due:
            raise _Faulty(stored.index, "index", f"{column} is {there!s}, the entry says {due!s}")


def _derive(index: int, entry: Entry) -> Indexed:
    try:
        envelope = _Envelope.model_validate_json(entry.event)
    except ValidationError as exc:
        raise _Faulty(index, "event", first_fault(exc)) from exc
    if envelope.siteid != entry.site_id:
        raise _Faulty(index, "site", f"the entry says {entry.site_id}, its event {envelope.siteid}")
    return Indexed(
        site_id=entry.site_id,
        site_sequence=entry.site_sequence,
        type=envelope.type,
        subject=envelope.subject,
        actor=envelope.actor,
        correlation_id=envelope.correlationid,
        causation_id=envelope.causationid,
        event_id=envelope.id,
        time=envelope.time,
        recorded_at=entry.recorded_at,
    )


def _check_root(batch: Root, computed: _Computed) -> None:
    if batch.root != computed.frontier.root:
        batch_text = f"entries {batch.previous_size} to {batch.size - 1}"
        detail = f"the root recorded after {batch_text} is not {computed.frontier.root.hex()}"
        raise _Faulty(batch.size - 1, "root", detail)
    computed.roots += 1
    computed.recorded_at = batch.recorded_at


def _check_claim(claim: Claim, computed: _Computed) -> None:
    frontier = computed.frontier
    if claim.root != frontier.root:
        raise _Faulty(claim.size, "head", f"the head's root is not {frontier.root.hex()}")
    if claim.recorded_at != computed.recorded_at:
        raise _Faulty(claim.size, "head", f"the head's time is {claim.recorded_at}, the last batch's differs")
    if claim.frontier is not None and claim.frontier != frontier.hashes:
        raise _Faulty(claim.size, "head", "the head's frontier is not that of its entries")
    if claim.next_sequences is not None and claim.next_sequences != computed.sequences:
        wrong = min(dict(claim.next_sequences.items() ^ computed.sequences.items()))
        detail = f"site {wrong} has {computed.sequences.get(wrong, 0)} entries"
        raise _Faulty(claim.size, "next-sequence", f"{detail}, and its next sequence is another")
