"""The order in which a log grows: which place each event gets, whose entry it is, and what it is found by."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from itertools import count, islice, repeat
from struct import unpack

from services.compliance.checkpoints.manifest import manifest_event, site_lines
from services.compliance.log.columns import all_microseconds, correlations
from services.compliance.log.domain import Added, Arrival, Indexed, Site, State
from services.compliance.log.entry import format_time
from services.compliance.log.index import (
    DAY,
    Envelope,
    Told,
    index_rows,
    mention_rows,
    numbered,
    read_event,
    subject_and_actor,
)
from services.compliance.log.outcome import outcome_of
from shared.events import GROUP

_NEVER = datetime.min.replace(tzinfo=UTC)
MAX_SITES = 2**15
"""How many sites the index has numbers for."""

Named = tuple[str, str, str, str, str | None]
"""What an event says that its row has a digest or a number of: subject, actor, site, type, and its data's outcome."""

Parts = tuple[bytes, bytes, tuple[int, int]]
"""What its row has of these before the correlation and behind it, and the numbers of site and type."""


class Growing:
    """The order in which a log grows: gives events their places, and says by batches what they add.

    It needs nothing of the tree, which `seal` makes of each batch when it comes to it.
    """

    def __init__(self, state: State) -> None:
        self.size = state.size
        self._now = state.recorded_at or _NEVER
        self._heads = {name: site.next_sequence for name, site in state.sites.items()}
        self._parts = _Parts({name: site.number for name, site in state.sites.items()}, dict(state.types))
        self._stamp = format_time(self._now)
        self._begin()

    def _begin(self) -> None:
        self._grown: set[str] = set()
        self._known_types = len(self._parts.types)
        self._entries: list[bytes] = []
        self._rows: list[bytes] = []
        self._mentions: list[bytes] = []
        self._times: list[int] = []
        self._days: Counter[tuple[int, tuple[int, int]]] = Counter()
        self._parts.clear()

    @property
    def sites(self) -> Collection[str]:
        """Those that have entries."""
        return self._heads.keys()

    def record_at(self, now: datetime) -> datetime:
        """When what is added next is recorded: ``now``, or the last entry's time where the clock has gone back."""
        self._now = max(now, self._now)
        self._stamp = format_time(self._now)
        return self._now

    def add(self, raws: Sequence[bytes], envelopes: Sequence[Envelope], told: Sequence[Told]) -> None:
        """Makes events, of which there is one at least, the next entries, with their index rows."""
        first, parts = self.size, self._parts
        made = [
            parts[one.subject, one.actor, one.siteid, one.type, word if isinstance(word := data.outcome, str) else None]
            for one, data in zip(envelopes, told, strict=True)
        ]
        names, numbers, kinds = zip(*made, strict=True)
        times = all_microseconds([one.time for one in envelopes])
        flows = unpack(f">{len(raws)}q", correlations([one.correlationid for one in envelopes]))
        self.size = first + len(raws)
        self._entries += map(bytes.__add__, self._headers([one.siteid for one in envelopes]), raws)
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
        self._grown |= heads.keys()
        return lines

    def take(self, manifest_id: str | None = None) -> Added:
        """What was added since the last time. With a ``manifest_id``, a manifest whose event has that id closes it."""
        lines = self._add_manifest(manifest_id) if manifest_id else None
        days = {(day, site, kind): count for (day, (site, kind)), count in self._days.items()}
        added = Added(
            entries=self._entries,
            recorded_at=self._now,
            indexed=Indexed(self._rows, self._mentions, self._times, days),
            sites={name: Site(self._parts.sites[name], self._heads[name]) for name in self._grown},
            types=dict(islice(self._parts.types.items(), self._known_types, None)),
            lines=lines,
        )
        self._begin()
        return added

    def _add_manifest(self, event_id: str) -> Sequence[bytes]:
        """Makes the manifest over all sites the next entry, and gives its lines."""
        heads = self._heads | {GROUP: self._heads.get(GROUP, 0) + 1}
        raw = manifest_event(heads, event_id=event_id, time=self._now)
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
