"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from services.compliance.checkpoints.manifest import manifest_event, site_lines
from services.compliance.log.bundle import CHUNK, join_entries, pack
from services.compliance.log.domain import Arrival, Chunk, Growth, Indexed, Manifest, Site, State
from services.compliance.log.entry import format_time
from services.compliance.log.index import Envelope, Told, index_row, mention_rows, microseconds, read_event
from services.compliance.log.tree import HASH_BYTES, leaf_hashes
from shared.events import GROUP

DAY = 86_400_000_000


class _Batch:
    """One batch in the making."""

    def __init__(self, state: State, now: datetime) -> None:
        self.recorded_at = now if state.recorded_at is None else max(now, state.recorded_at)
        self._stamp = format_time(self.recorded_at).encode()
        self._sites = {
            site_id: _Site(site_id, site.number, site.next_sequence) for site_id, site in state.sites.items()
        }
        self.types = dict(state.types)
        self._next = state.size
        self.entries: list[bytes] = []
        self.rows: list[bytes] = []
        self.mentions: list[bytes] = []
        self.times: list[int] = []
        self._days: list[tuple[int, int, int]] = []

    def add(self, raw: bytes, envelope: Envelope, told: Told) -> None:
        """Makes the next entry and its index rows."""
        site = self._sites.get(envelope.siteid) or self._new_site(envelope.siteid)
        kind = self.types.setdefault(envelope.type, len(self.types))
        index, time, number = self._next, microseconds(envelope.time), site.number
        self._next = index + 1
        self.entries.append(b"%s %d %s\n%s" % (site.name, site.next_sequence, self._stamp, raw))
        site.next_sequence += 1
        self.rows.append(index_row(index, time, number, kind, envelope, told))
        self.mentions.append(mention_rows(index, time, number, told))
        self.times.append(time)
        self._days.append((time // DAY, number, kind))

    def _new_site(self, site_id: str) -> "_Site":
        site = self._sites[site_id] = _Site(site_id, len(self._sites), 0)
        return site

    def add_manifest(self, event_id: str) -> Sequence[bytes]:
        """Makes the manifest over all sites the next entry, and gives its lines."""
        heads = {site_id: site.next_sequence for site_id, site in self._sites.items()}
        heads[GROUP] = heads.get(GROUP, 0) + 1
        raw = manifest_event(heads, event_id=event_id, time=self.recorded_at)
        self.add(raw, read_event(raw), Told())
        return site_lines(heads)

    @property
    def sites(self) -> dict[str, Site]:
        """All sites after this batch."""
        return {site_id: Site(site.number, site.next_sequence) for site_id, site in self._sites.items()}

    @property
    def indexed(self) -> Indexed:
        """The index rows of all entries."""
        return Indexed(self.rows, self.mentions, self.times, Counter(self._days))


class _Site:
    """A site while a batch is made."""

    __slots__ = ("name", "next_sequence", "number")

    def __init__(self, site_id: str, number: int, next_sequence: int) -> None:
        self.name = site_id.encode()
        self.number = number
        self.next_sequence = next_sequence


def grow(state: State, arrivals: Iterable[Arrival], now: datetime, manifest_id: str | None = None) -> Growth:
    """Appends events, recorded at ``now``, or at the last entry's time where the clock has gone back.

    With a ``manifest_id``, a manifest whose event has that id closes the batch.
    """
    batch = _Batch(state, now)
    for arrival in arrivals:
        batch.add(*arrival)
    lines = batch.add_manifest(manifest_id) if manifest_id else None
    hashes = leaf_hashes(batch.entries)
    edge, subtrees = state.edge.grow(hashes)
    entries = [*state.tail, *batch.entries]
    whole = len(entries) - len(entries) % CHUNK
    sites = batch.sites
    return Growth(
        before=state,
        after=State(
            edge, entries[whole:], batch.recorded_at if batch.entries else state.recorded_at, sites, batch.types
        ),
        chunks=_chunks(state, entries[:whole], hashes),
        subtrees=subtrees,
        indexed=batch.indexed,
        sites={site_id: site for site_id, site in sites.items() if site != state.sites.get(site_id)},
        types={name: number for name, number in batch.types.items() if name not in state.types},
        manifest=None if lines is None else Manifest(edge.size, edge.root, lines),
    )


def _chunks(state: State, entries: Sequence[bytes], fresh: bytes) -> list[Chunk]:
    """Complete chunks of ``entries``, of which the first are the old tail; ``fresh`` are the others' hashes."""
    hashes = tail_hashes(state) + fresh
    return [
        Chunk(
            state.size - len(state.tail) + at,
            pack(join_entries(entries[at : at + CHUNK])),
            hashes[at * HASH_BYTES : (at + CHUNK) * HASH_BYTES],
        )
        for at in range(0, len(entries), CHUNK)
    ]


def tail_hashes(state: State) -> bytes:
    """The leaf hashes of the tail: the end of the unfinished tile."""
    width = len(state.tail) * HASH_BYTES
    return state.edge.tiles[0][-width:] if width else b""
