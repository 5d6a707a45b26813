"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.compliance.checkpoints.manifest import manifest_event, site_lines
from services.compliance.log.bundle import CHUNK, join_entries, pack
from services.compliance.log.domain import Arrival, Chunk, Growth, Indexed, Manifest, Site, State
from services.compliance.log.entry import format_time, parse_entry
from services.compliance.log.index import Envelope, Told, index_row, mention_rows, microseconds, read_event
from services.compliance.log.tree import HASH_BYTES, leaf_hashes
from shared.events import GROUP

DAY = 86_400_000_000
MAX_SITES = 2**15
"""How many sites the index has numbers for."""


class Growing:
    """A batch in the making: events are added, hashed and packed, and in the end it says what should be written."""

    def __init__(self, state: State, now: datetime) -> None:
        """What is added is recorded at ``now``, or at the last entry's time where the clock has gone back."""
        self._before = state
        self._recorded_at = now if state.recorded_at is None else max(now, state.recorded_at)
        self._stamp = format_time(self._recorded_at).encode()
        self._sites = {name: _Site(name, site.number, site.next_sequence) for name, site in state.sites.items()}
        self._types = dict(state.types)
        self._next = state.size
        self._fresh: list[bytes] = []
        self._tail = list(state.tail)
        self._tail_hashes = tail_hashes(state)
        self._hashes: list[bytes] = []
        self._chunks: list[Chunk] = []
        self._rows: list[bytes] = []
        self._mentions: list[bytes] = []
        self._times: list[int] = []
        self._days: list[tuple[int, int, int]] = []

    def add(self, raw: bytes, envelope: Envelope, told: Told) -> None:
        """Makes an event the next entry, with its index rows."""
        site = self._sites.get(envelope.siteid) or self._new_site(envelope.siteid)
        kind = self._types.setdefault(envelope.type, len(self._types))
        index, time, number = self._next, microseconds(envelope.time), site.number
        self._next = index + 1
        self._fresh.append(b"%s %d %s\n%s" % (site.name, site.next_sequence, self._stamp, raw))
        site.next_sequence += 1
        self._rows.append(index_row(index, time, number, kind, envelope, told))
        self._mentions.append(mention_rows(index, time, number, told))
        self._times.append(time)
        self._days.append((time // DAY, number, kind))

    def _new_site(self, site_id: str) -> "_Site":
        site = self._sites[site_id] = _Site(site_id, len(self._sites), 0)
        return site

    def pack(self) -> None:
        """Hashes what was added since the last time, and packs the chunks that are complete."""
        hashes = leaf_hashes(self._fresh)
        self._hashes.append(hashes)
        entries, hashes = self._tail + self._fresh, self._tail_hashes + hashes
        start, whole = self._next - len(entries), len(entries) - len(entries) % CHUNK
        for at in range(0, whole, CHUNK):
            body = pack(join_entries(entries[at : at + CHUNK]))
            self._chunks.append(Chunk(start + at, body, hashes[at * HASH_BYTES : (at + CHUNK) * HASH_BYTES]))
        self._fresh, self._tail, self._tail_hashes = [], entries[whole:], hashes[whole * HASH_BYTES :]

    def finish(self, manifest_id: str | None = None) -> Growth:
        """All that the batch adds. With a ``manifest_id``, a manifest whose event has that id closes it."""
        lines = self._add_manifest(manifest_id) if manifest_id else None
        self.pack()
        before = self._before
        edge, subtrees = before.edge.grow(b"".join(self._hashes))
        recorded_at = self._recorded_at if edge.size > before.size else before.recorded_at
        sites = {name: Site(site.number, site.next_sequence) for name, site in self._sites.items()}
        return Growth(
            before=before,
            after=State(edge, self._tail, recorded_at, sites, self._types),
            chunks=self._chunks,
            subtrees=subtrees,
            indexed=Indexed(self._rows, self._mentions, self._times, Counter(self._days)),
            sites={name: site for name, site in sites.items() if site != before.sites.get(name)},
            types={name: number for name, number in self._types.items() if name not in before.types},
            manifest=None if lines is None else Manifest(edge.size, edge.root, lines),
        )

    def _add_manifest(self, event_id: str) -> Sequence[bytes]:
        """Makes the manifest over all sites the next entry, and gives its lines."""
        heads = {name: site.next_sequence for name, site in self._sites.items()}
        heads[GROUP] = heads.get(GROUP, 0) + 1
        raw = manifest_event(heads, event_id=event_id, time=self._recorded_at)
        self.add(raw, read_event(raw), Told())
        return site_lines(heads)


class _Site:
    """A site while a batch is made."""

    __slots__ = ("name", "next_sequence", "number")

    def __init__(self, site_id: str, number: int, next_sequence: int) -> None:
        self.name = site_id.encode()
        self.number = number
        self.next_sequence = next_sequence


def grow(state: State, arrivals: Iterable[Arrival], now: datetime, manifest_id: str | None = None) -> Growth:
    """What these events add, all at once."""
    growing = Growing(state, now)
    for arrival in arrivals:
        growing.add(arrival.raw, arrival.envelope, arrival.told)
    return growing.finish(manifest_id)


def refill(
    start: int, entries: Sequence[bytes], sites: Mapping[str, int], types: Mapping[str, int]
) -> tuple[list[tuple[Chunk, datetime | None]], Indexed]:
    """The rows of entries that were in the log before, from index ``start`` on: whole chunks, as they were stored.

    Raises KeyError for a site or type that has no number, and what reading an entry raises.
    """
    chunks: list[tuple[Chunk, datetime | None]] = []
    rows, mentions, times, days = [], [], [], []
    for at in range(0, len(entries), CHUNK):
        part = entries[at : at + CHUNK]
        chunk = Chunk(start + at, pack(join_entries(part)), leaf_hashes(part))
        chunks.append((chunk, parse_entry(part[-1]).recorded_at))
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
