"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count, repeat
from struct import unpack

from services.compliance.checkpoints.manifest import manifest_event, site_lines
from services.compliance.log.bundle import CHUNK, join_entries, pack
from services.compliance.log.domain import Arrival, Chunk, Growth, Indexed, Manifest, Site, State
from services.compliance.log.entry import format_time, parse_entry
from services.compliance.log.index import (
    Envelope,
    Told,
    index_row,
    index_rows,
    mention_rows,
    microseconds,
    numbered,
    read_event,
    subject_and_actor,
)
from services.compliance.log.outcome import outcome_of
from services.compliance.log.tree import HASH_BYTES, leaf_hashes
from services.compliance.verify.columns import all_microseconds, correlations
from shared.events import GROUP

DAY = 86_400_000_000
MAX_SITES = 2**15
"""How many sites the index has numbers for."""

Named = tuple[str, str, str, str, str | None]
"""What an event says that its row has a digest or a number of: subject, actor, site, type, and its data's outcome."""

Parts = tuple[bytes, bytes, tuple[int, int]]
"""What its row has of these before the correlation and behind it, and the numbers of site and type."""


class Growing:
    """A batch in the making: events are added, hashed and packed, and in the end it says what should be written."""

    def __init__(self, state: State, now: datetime) -> None:
        """What is added is recorded at ``now``, or at the last entry's time where the clock has gone back."""
        self._before = state
        self._recorded_at = now if state.recorded_at is None else max(now, state.recorded_at)
        self._stamp = format_time(self._recorded_at)
        self._heads = {name: site.next_sequence for name, site in state.sites.items()}
        self._parts = _Parts({name: site.number for name, site in state.sites.items()}, dict(state.types))
        self._next = state.size
        self._fresh: list[bytes] = []
        self._tail = list(state.tail)
        self._tail_hashes = tail_hashes(state)
        self._hashes: list[bytes] = []
        self._chunks: list[Chunk] = []
        self._rows: list[bytes] = []
        self._mentions: list[bytes] = []
        self._times: list[int] = []
        self._days: Counter[tuple[int, tuple[int, int]]] = Counter()

    def add(self, raws: Sequence[bytes], envelopes: Sequence[Envelope], told: Sequence[Told]) -> None:
        """Makes events, of which there is one at least, the next entries, with their index rows."""
        first, parts = self._next, self._parts
        made = [
            parts[one.subject, one.actor, one.siteid, one.type, word if isinstance(word := data.outcome, str) else None]
            for one, data in zip(envelopes, told, strict=True)
        ]
        names, numbers, kinds = zip(*made, strict=True)
        times = all_microseconds([one.time for one in envelopes])
        flows = unpack(f">{len(raws)}q", correlations([one.correlationid for one in envelopes]))
        self._next = first + len(raws)
        self._fresh += map(bytes.__add__, self._headers([one.siteid for one in envelopes]), raws)
        self._rows += index_rows(first, times, names, flows, numbers)
        self._mentions += [
            b"" if data.system_id is None and data.systems is None else mention_rows(index, time, site, data)
            for index, time, (site, _), data in zip(count(first), times, kinds, told, strict=False)
        ]
        self._times += times
        self._days += _by_day(times, kinds)

    def add_arrivals(self, arrivals: Sequence[Arrival]) -> None:
        """Does so with what came over the bus."""
        self.add(
            [arrival.raw for arrival in arrivals],
            [arrival.envelope for arrival in arrivals],
            [arrival.told for arrival in arrivals],
        )

    def _headers(self, sites: Sequence[str]) -> Iterable[bytes]:
        """The first lines of entries of these sites, each the next of its site."""
        heads = {site: count(self._heads.get(site, 0)) for site in {*sites}}
        following = map(next, map(heads.__getitem__, sites))
        lines = [f"{site} {number} {self._stamp}\n".encode() for site, number in zip(sites, following, strict=True)]
        self._heads |= {site: next(head) for site, head in heads.items()}
        return lines

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
        sites = {name: Site(number, self._heads[name]) for name, number in self._parts.sites.items()}
        types = self._parts.types
        days = {(day, site, kind): count for (day, (site, kind)), count in self._days.items()}
        return Growth(
            before=before,
            after=State(edge, self._tail, recorded_at, sites, types),
            chunks=self._chunks,
            subtrees=subtrees,
            indexed=Indexed(self._rows, self._mentions, self._times, days),
            sites={name: site for name, site in sites.items() if site != before.sites.get(name)},
            types={name: number for name, number in types.items() if name not in before.types},
            manifest=None if lines is None else Manifest(edge.size, edge.root, lines),
        )

    def _add_manifest(self, event_id: str) -> Sequence[bytes]:
        """Makes the manifest over all sites the next entry, and gives its lines."""
        heads = self._heads | {GROUP: self._heads.get(GROUP, 0) + 1}
        raw = manifest_event(heads, event_id=event_id, time=self._recorded_at)
        self.add([raw], [read_event(raw)], [Told()])
        return site_lines(heads)


class _Parts(dict[Named, Parts]):
    """What rows have of names, made once for all events of a batch with the same; gives new names their numbers."""

    def __init__(self, sites: dict[str, int], types: dict[str, int]) -> None:
        super().__init__()
        self.sites = sites
        self.types = types

    def __missing__(self, named: Named) -> Parts:
        subject, actor, site_id, event_type, word = named
        site = self.sites.setdefault(site_id, len(self.sites))
        kind = self.types.setdefault(event_type, len(self.types))
        numbers = numbered(site, kind, outcome_of(event_type, word))
        made = self[named] = (subject_and_actor(subject, actor), numbers, (site, kind))
        return made


def _by_day(times: Sequence[int], kinds: Sequence[tuple[int, int]]) -> Counter[tuple[int, tuple[int, int]]]:
    first, last = min(times) // DAY, max(times) // DAY
    return Counter(zip(repeat(first) if first == last else [time // DAY for time in times], kinds, strict=False))


def grow(state: State, arrivals: Iterable[Arrival], now: datetime, manifest_id: str | None = None) -> Growth:
    """What these events add, all at once."""
    growing, added = Growing(state, now), list(arrivals)
    if added:
        growing.add_arrivals(added)
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
