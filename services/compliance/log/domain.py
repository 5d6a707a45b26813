"""What the log keeps: entries in chunks, the index beside them, a root for each batch, and the head."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.compliance.log.bundle import CHUNK, split_entries
from services.compliance.log.tree import HASH_BYTES, Frontier
from shared.errors import StewardError


class Damaged(StewardError):
    """What is stored contradicts itself; `steward log verify` names where."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an entry is found by. All but the first two and the last are members of its event's envelope."""

    site_id: str
    site_sequence: int
    type: str
    subject: str
    actor: str
    correlation_id: str
    causation_id: str | None
    event_id: str
    time: datetime
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Chunk:
    """Successive entries from index ``start`` on, as stored: a piece of a bundle and of the level-0 hash tile."""

    start: int
    body: bytes
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored under one index. What should be there and is not, or can't be read, is None."""

    index: int
    entry: bytes | None
    leaf_hash: bytes | None
    indexed: Indexed | None


@dataclass(frozen=True, slots=True)
class Root:
    """The root that the log had when it grew from ``previous_size`` to ``size``."""

    size: int
    previous_size: int
    root: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log has come. ``recorded_at`` is None while it is empty."""

    frontier: Frontier
    root: bytes
    recorded_at: datetime | None
    epoch: int

    @property
    def size(self) -> int:
        """How many entries the log has; the next one gets this index."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class Claim:
    """What the log says of itself, unchecked. The last two are None where the teller does not show them."""

    size: int
    root: bytes
    recorded_at: datetime | None
    frontier: tuple[bytes, ...] | None = None
    next_sequences: Mapping[str, int] | None = None


def read_chunk(chunk: Chunk) -> Iterator[tuple[int, bytes | None, bytes]]:
    """The chunk's indices, each with its entry and its leaf hash.

    The hashes say how many entries there should be. Where the body ends early, the entries are None; where it, or the
    chunk, holds more than it may, the last one is.
    """
    hashes = [chunk.hashes[at : at + HASH_BYTES] for at in range(0, len(chunk.hashes), HASH_BYTES)]
    hashes = hashes[: CHUNK - chunk.start % CHUNK]
    whole, rest = split_entries(chunk.body)
    entries: list[bytes | None] = [*whole, *[None] * (len(hashes) - len(whole))]
    if rest or len(whole) > len(hashes) or len(chunk.hashes) != len(hashes) * HASH_BYTES:
        entries[len(hashes) - 1] = None
    for offset, (entry, leaf) in enumerate(zip(entries, hashes, strict=False)):
        yield chunk.start + offset, entry, leaf


def join_stored(chunks: Sequence[Chunk], indexed: Sequence[tuple[int, Indexed]], start: int, end: int) -> list[Stored]:
    """What is stored from ``start`` up to ``end``, by rising index; an index that is held twice comes twice."""
    rows = dict(indexed)
    entries = [found for chunk in chunks for found in read_chunk(chunk) if start <= found[0] < end]
    stored = [Stored(index, entry, leaf, rows.get(index)) for index, entry, leaf in entries]
    without = rows.keys() - {index for index, _, _ in entries}
    stored += [Stored(index, None, None, rows[index]) for index in without]
    return sorted(stored, key=lambda item: item.index)
