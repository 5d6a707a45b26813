"""What a verification reads, what it can find, and what it reports.

Nothing that a log says of itself is believed: all that is stored must follow from the entries' bytes. With the code
that appends, verification shares the formats, and nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from services.compliance.log.tree import TILE
from services.compliance.verify.columns import Table
from shared.errors import StewardError

BUNDLE = TILE
"""C2SP tlog-tiles: a full entry bundle has 256 entries, a full tile 256 hashes, so a level is 8 levels of the tree."""

Kind = Literal[
    "bundle-missing",
    "bundle-empty",
    "bundle-short",
    "bundle-cut",
    "bundle-long",
    "bundle-unpacked",
    "tile-missing",
    "tile-empty",
    "tile-short",
    "tile-long",
    "tile-width",
    "partial",
    "unexpected",
    "leaf-hash",
    "subtree",
    "entry-format",
    "site-sequence",
    "recorded-at",
    "event",
    "site",
    "manifest",
    "manifest-missing",
    "manifest-row",
    "checkpoint",
    "signature",
    "cosignature",
    "root",
    "consistency",
    "index-missing",
    "index-extra",
    "index",
    "mention",
    "head",
    "next-sequence",
    "name",
    "counts",
    "partition",
    "beyond-head",
]
"""What can be wrong. docs/guides/auditor.md says what each means."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong. It concerns the entries from ``first`` up to, without, ``end``."""

    kind: Kind
    first: int
    end: int
    detail: str

    @property
    def where(self) -> str:
        """The entries in words; a fault of no entry is one of the log."""
        if self.end <= self.first:
            return "log"
        return f"entry {self.first}" if self.end == self.first + 1 else f"entries {self.first} to {self.end - 1}"

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.detail}"


class Faulty(StewardError):
    """What was read is wrong; ends the reading of a range and becomes its fault."""

    def __init__(self, kind: Kind, first: int, end: int, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(kind, first, end, detail)

    def __reduce__(self) -> tuple[type["Faulty"], tuple[Kind, int, int, str]]:
        return Faulty, (self.fault.kind, self.fault.first, self.fault.end, self.fault.detail)


@dataclass(frozen=True, slots=True)
class Noted:
    """A signed checkpoint as stored, and the size that it is stored under; what it says itself must be the same."""

    size: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """What a database holds beside a chunk: tables with its index rows, and when it was recorded."""

    events: Table
    mentions: Table
    recorded_at: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Entries side by side, each behind its length, and their leaf hashes side by side, as stored.

    It is a bundle, or a chunk of one; its first index is ``first``, and it must go up to ``end``.
    """

    first: int
    end: int
    body: bytes
    hashes: bytes
    rows: Rows | None = None
    root: bytes = b""
    """Of pruned entries that not even all leaf hashes are there of: the root over their bundle, as the tree has it."""


Gap = tuple[int, int]
"""The entries from the first index up to the second were pruned: only their leaf hashes are there."""


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """The numbers by which an index names sites and types, and how many entries a partition has."""

    sites: Mapping[str, int]
    types: Mapping[str, int]
    partition_entries: int


@dataclass(slots=True)
class Span:
    """The times of a partition: its events' in µs since 2000, and when its first and last entry were recorded."""

    first_time: int
    last_time: int
    first_recorded: str
    last_recorded: str

    def join(self, after: "Span") -> "Span":
        """This and what follows it."""
        first, last = min(self.first_time, after.first_time), max(self.last_time, after.last_time)
        return Span(first, last, self.first_recorded, after.last_recorded)


@dataclass(slots=True)
class Totals:
    """What an index must sum up to: the events of each day, site and type, and the times of each partition."""

    days: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    partitions: dict[int, Span] = field(default_factory=dict)

    def add(self, after: "Totals") -> None:
        """Takes those of the entries that follow."""
        self.days.update(after.days)
        for number, span in after.partitions.items():
            self.extend(number, span)

    def extend(self, number: int, span: Span) -> None:
        """Takes the times of entries that follow in a partition."""
        known = self.partitions.get(number)
        self.partitions[number] = span if known is None else known.join(span)


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """What a database keeps of a partition.

    ``times`` are the first and last of its events', and when its first and last entry were recorded. ``location`` is
    where its archive is, once it was pruned.
    """

    times: Sequence[datetime | None]
    pruned_at: datetime | None
    location: str | None


class PruneRecord(msgspec.Struct, frozen=True):
    """What an entry says of entries that were pruned: their root in hexadecimal, and where their archive is."""

    first: int
    end: int
    root: str
    location: str


@dataclass(frozen=True, slots=True)
class Computed:
    """What follows from the entries below ``size``; what a source holds beside them is held against it.

    ``totals`` are those of the entries from ``began`` on. ``sequences`` is None where entries were pruned and no
    manifest followed that says how many they were. ``pruned`` are the roots over the gaps, and ``records`` what entries
    say of them.
    """

    size: int
    began: int
    root: bytes
    sequences: Mapping[str, int] | None
    recorded_at: str
    totals: Totals
    pruned: Mapping[Gap, bytes] = field(default_factory=dict)
    records: Mapping[Gap, PruneRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """What a database keeps of the manifest that closes a log of ``size`` entries."""

    size: int
    root: bytes
    lines: bytes


class Reader(Protocol):
    """How one process reads a log. Raises Faulty for what is missing or malformed, Unavailable for no answer."""

    numbers: Numbers | None
    """Those of the index; None where there is no index to check."""

    gaps: Sequence[Gap]
    """Where entries were pruned, by rising index. Each begins and ends at a multiple of 256."""

    def share(self) -> "Source":
        """What another process opens to read the very same log."""

    def size(self) -> int | None:
        """How many entries the log claims beside its checkpoints; None where only a checkpoint tells."""

    def latest(self) -> "Noted | None":
        """The newest signed checkpoint; None where there is none yet."""

    def checkpoints(self, after: int, upto: int) -> Sequence["Noted"]:
        """The signed checkpoints of sizes above ``after`` and not above ``upto``, by rising size."""

    def manifests(self, after: int, upto: int) -> Sequence[ManifestRow] | None:
        """What is kept of the manifests that close sizes above ``after`` and not above ``upto``; None if nothing is."""

    def pieces(self, first: int, end: int) -> Iterator[Piece]:
        """The entries from ``first``, a multiple of 256, up to ``end``. No piece crosses a multiple of 256."""

    def tile(self, level: int, number: int, width: int) -> bytes:
        """The first ``width`` hashes of a tile of level 1 or above, or however many there are."""

    def check(self, computed: Computed) -> None:
        """Holds what only this source has against what was computed. Raises Faulty."""

    def unchecked(self) -> Sequence[str]:
        """What can't be checked where this reads, in sentences."""

    def close(self) -> None:
        """Ends the reading."""


class Source(Protocol):
    """Where a log lies; may be handed to another process."""

    def open(self) -> Reader:
        """Begins to read. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was read and computed up to the end, or up to the fault.

    ``began`` is the entry at which an incremental verification began; ``unchecked`` says what was not looked at.
    """

    size: int
    root: bytes
    sites: int
    checkpoints: int
    began: int
    unchecked: Sequence[str] = ()
    fault: Fault | None = None
