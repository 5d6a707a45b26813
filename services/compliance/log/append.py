"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.compliance.log.bundle import CHUNK, join_entries, pack_all
from services.compliance.log.domain import Added, Arrival, Chunk, Growth, Indexed, Manifest, State
from services.compliance.log.entry import parse_entry
from services.compliance.log.growing import Growing
from services.compliance.log.hashing import HASH_BYTES, leaf_hashes
from services.compliance.log.index import DAY, index_row, mention_rows, microseconds, read_event


def grow(state: State, arrivals: Iterable[Arrival], now: datetime, manifest_id: str | None = None) -> Growth:
    """What these events add, all at once."""
    growing, there = Growing(state), list(arrivals)
    growing.record_at(now)
    if there:
        growing.add_arrivals(there)
    return seal(state, growing.take(manifest_id))


def seal(before: State, added: Added) -> Growth:
    """The log of ``before`` with what was added: leaves and nodes of its tree, and the chunks that are complete.

    Nearly all of its time goes into calls that let other threads run meanwhile.
    """
    fresh = leaf_hashes(added.entries)
    edge, subtrees = before.edge.grow(fresh)
    entries, hashes = [*before.tail, *added.entries], tail_hashes(before) + fresh
    whole = len(entries) - len(entries) % CHUNK
    chunks = _pack_chunks(before.size - len(before.tail), entries[:whole], hashes)
    recorded_at = added.recorded_at if added.entries else before.recorded_at
    sites, types = {**before.sites, **added.sites}, {**before.types, **added.types}
    return Growth(
        before=before,
        after=State(edge, entries[whole:], recorded_at, sites, types),
        chunks=chunks,
        subtrees=subtrees,
        indexed=added.indexed,
        sites=added.sites,
        types=added.types,
        manifest=None if added.lines is None else Manifest(edge.size, edge.root, added.lines),
    )


def _pack_chunks(start: int, entries: Sequence[bytes], hashes: bytes) -> list[Chunk]:
    """The chunks of entries from index ``start`` on, which have these hashes."""
    places = range(0, len(entries), CHUNK)
    bodies = pack_all([join_entries(entries[at : at + CHUNK]) for at in places])
    return [
        Chunk(start + at, body, hashes[at * HASH_BYTES : (at + CHUNK) * HASH_BYTES])
        for at, body in zip(places, bodies, strict=True)
    ]


def refill(
    start: int, entries: Sequence[bytes], sites: Mapping[str, int], types: Mapping[str, int]
) -> tuple[Sequence[tuple[Chunk, datetime | None]], Indexed]:
    """The rows of entries that were in the log before, from index ``start`` on: whole chunks, as they were stored.

    Raises KeyError for a site or type that has no number, and what reading an entry raises.
    """
    lasts = [entries[at : at + CHUNK][-1] for at in range(0, len(entries), CHUNK)]
    recorded = [parse_entry(last).recorded_at for last in lasts]
    chunks = list(zip(_pack_chunks(start, entries, leaf_hashes(entries)), recorded, strict=True))
    rows, mentions, times, days = [], [], [], []
    for index, entry in enumerate(entries, start=start):
        event = read_event(parse_entry(entry).event)
        site, kind, time = sites[event.siteid], types[event.type], microseconds(event.time)
        rows.append(index_row(index, time, site, kind, event, event.data))
        mentions.append(mention_rows(index, time, site, event.data))
        times.append(time)
        days.append((time // DAY, site, kind))
    return chunks, Indexed(rows, mentions, times, Counter(days))


def tail_hashes(state: State) -> bytes:
    """The leaf hashes of the tail: the end of the unfinished tile."""
    width = len(state.tail) * HASH_BYTES
    return state.edge.tiles[0][-width:] if width else b""
