"""What the log is between two batches, and what a batch adds to it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.compliance.log.bundle import CHUNK, NotABundle, unpack
from services.compliance.log.hashing import HASH_BYTES, LENGTH_BYTES
from services.compliance.log.index import Told
from services.compliance.log.tiles import Tile
from services.compliance.log.tree import TILE, Edge, Subtree
from shared.errors import StewardError
from shared.events.envelope import Envelope


class Damaged(StewardError):
    """What is stored contradicts itself; `steward log verify` names where."""


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An event to append: its exact bytes, and what was read of them."""

    raw: bytes
    envelope: Envelope
    told: Told


@dataclass(frozen=True, slots=True)
class Site:
    """A site's number in the index, and the sequence that its next entry gets."""

    number: int
    next_sequence: int


@dataclass(frozen=True, slots=True)
class State:
    """All that the next batch builds on. ``tail`` are the entries that do not fill a chunk yet."""

    edge: Edge = field(default_factory=Edge)
    tail: Sequence[bytes] = ()
    recorded_at: datetime | None = None
    sites: Mapping[str, Site] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many entries the log has; the next one gets this index."""
        return self.edge.size


@dataclass(frozen=True, slots=True)
class Pruned:
    """The entries from ``first`` up to ``end``, which are only in an archive any more."""

    first: int
    end: int
    pruned_at: datetime
    location: str


@dataclass(frozen=True, slots=True)
class StoredTiles:
    """Hashes of tiles by level and number, as far as the log has grown, and the newest checkpoint's size, if known."""

    hashes: Mapping[tuple[int, int], bytes]
    published: int | None = None

    def pick(self, tiles: Iterable[Tile]) -> dict[Tile, bytes]:
        """Each tile in its width. Raises Damaged where hashes are missing."""
        found = {tile: self.hashes.get((tile.level, tile.number), b"")[: tile.byte_count] for tile in tiles}
        for tile, body in found.items():
            if len(body) != tile.byte_count:
                lacking = tile.width - len(body) // HASH_BYTES
                raise Damaged(
                    f"{lacking} of the {tile.width} hashes of {tile.path} are missing; run `steward log verify`"
                )
        return found


@dataclass(frozen=True, slots=True)
class Chunk:
    """A complete chunk as it is stored: ``body`` packed, ``hashes`` side by side."""

    start: int
    body: bytes
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest at the end of a log of ``size`` entries whose root is ``root``; ``lines`` are those of its sites."""

    size: int
    root: bytes
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Indexed:
    """The index rows of successive entries, and what partitions and days are told of them.

    The rows, the mentions' rows, which may be none, and the time in µs stand in the order of the entries; ``days``
    counts them by day, site and type.
    """

    rows: Sequence[bytes] = ()
    mentions: Sequence[bytes] = ()
    times: Sequence[int] = ()
    days: Mapping[tuple[int, int, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Added:
    """What a batch adds, neither hashed nor packed. ``sites`` and ``types`` are those that are new or have grown.

    ``lines`` are those of the manifest that is the last of the entries, if one is.
    """

    entries: Sequence[bytes]
    recorded_at: datetime
    indexed: Indexed
    sites: Mapping[str, Site]
    types: Mapping[str, int]
    lines: Sequence[bytes] | None


@dataclass(frozen=True, slots=True)
class Growth:
    """What a batch adds, and the state after it. ``sites`` and ``types`` are those that are new or have grown."""

    before: State
    after: State
    chunks: Sequence[Chunk]
    subtrees: Sequence[Subtree]
    indexed: Indexed
    sites: Mapping[str, Site]
    types: Mapping[str, int]
    manifest: Manifest | None


def pick_entries(indices: Iterable[int], chunks: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
    """Of the entries of ``indices`` those in the chunks, each of which is its first index and its stored body.

    Chunks are unpacked one after the other, and of each only what is wanted is cut out. Raises Damaged where that can't
    be done.
    """
    wanted: dict[int, list[int]] = defaultdict(list)
    for index in sorted({*indices}):
        wanted[index - index % CHUNK].append(index)
    found: dict[int, bytes] = {}
    for start, body in chunks:
        try:
            found |= _cut_out(unpack(body), start, wanted[start])
        except (ValueError, IndexError) as exc:
            raise Damaged(f"entries can't be read; run `steward log verify`: {exc}") from exc
    return found


def _cut_out(body: bytes, place: int, indices: Sequence[int]) -> dict[int, bytes]:
    """The entries of rising ``indices`` in a body whose first has the index ``place``; it may end before the last."""
    found: dict[int, bytes] = {}
    at, end = 0, len(body)
    for index in indices:
        while place < index and at < end:
            at += LENGTH_BYTES + (body[at] << 8 | body[at + 1])
            place += 1
        if at >= end:
            break
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(body[at:start])
        if not start < at <= end:
            raise NotABundle(f"entry {index} is empty or cut off")
        found[index] = body[start:at]
        place += 1
    return found


def check_present(indices: Iterable[int], found: Collection[int]) -> None:
    """Raises Damaged for the first entry of ``indices`` that was not found."""
    if lost := [index for index in indices if index not in found]:
        raise Damaged(f"entry {min(lost)} is missing; run `steward log verify`")


def join_chunks(chunks: Mapping[int, bytes]) -> dict[tuple[int, int], bytes]:
    """Tiles of level 0 from the hashes of chunks by their first index; a tile ends before the first chunk it lacks."""
    tiles: dict[tuple[int, int], bytes] = defaultdict(bytes)
    for start in sorted(chunks):
        tile = tiles[0, start // TILE]
        if len(tile) == start % TILE * HASH_BYTES:
            tiles[0, start // TILE] = tile + chunks[start]
    return tiles
