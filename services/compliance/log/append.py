"""What a batch of events adds to the log. Says what should be written, and writes nothing."""

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
        self._size = state.size
        self._sites = {site_id: (site.number, site.next_sequence) for site_id, site in state.sites.items()}
        self.types = dict(state.types)
        self.grown: set[str] = set()
        self.entries: list[bytes] = []
        self.indexed: list[Indexed] = []

    def add(self, raw: bytes, envelope: Envelope, told: Told) -> None:
        """Makes the next entry and its index rows."""
        site_id = envelope.siteid
        site, sequence = self._sites.get(site_id) or (len(self._sites), 0)
        self._sites[site_id] = (site, sequence + 1)
        self.grown.add(site_id)
        kind = self.types.setdefault(envelope.type, len(self.types))
        index = self._size + len(self.entries)
        time = microseconds(envelope.time)
        self.entries.append(b"%s %d %s\n%s" % (site_id.encode(), sequence, self._stamp, raw))
        row = index_row(index, time, site, kind, envelope, told)
        self.indexed.append(Indexed(index, time, (time // DAY, site, kind), row, mention_rows(index, time, site, told)))

    def add_manifest(self, event_id: str) -> Sequence[bytes]:
        """Makes the manifest over all sites the next entry, and gives its lines."""
        heads = {site_id: sequence for site_id, (_, sequence) in self._sites.items()}
        heads[GROUP] = heads.get(GROUP, 0) + 1
        raw = manifest_event(heads, event_id=event_id, time=self.recorded_at)
        self.add(raw, read_event(raw), Told())
        return site_lines(heads)

    @property
    def sites(self) -> dict[str, Site]:
        """All sites after this batch."""
        return {site_id: Site(*site) for site_id, site in self._sites.items()}


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
        sites={site_id: sites[site_id] for site_id in batch.grown},
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
