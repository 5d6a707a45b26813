"""What each entry must be: well-formed, the next of its site, not older than the last one, around a readable event.

This is the innermost loop of a verification. Entries are passed, many at once, when their headers are, byte for byte,
those that their events' sites are due; only what is not as expected is read by the exact parser, which says what is
wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Protocol, TypeVar

import msgspec

from services.compliance.log.entry import SITE, Entry, NotAnEntry, format_time, parse_entry
from services.compliance.log.hashing import TIME_BYTES, Opened
from services.compliance.verify.domain import Faulty, PruneRecord

MANIFEST = "log.manifest"
"""The type of a manifest; checkpoints/manifest.py writes them."""

PRUNED = "log.pruned"
LANDMARKS = frozenset((MANIFEST, PRUNED))
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Told(Protocol):
    """What every event is asked for."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def siteid(self) -> str:
        """Whose it is."""


E = TypeVar("E", bound=Told)


class _Record(msgspec.Struct):
    data: PruneRecord


class Glance(msgspec.Struct, gc=False):
    """Only what every event is asked for."""

    type: str
    siteid: str


_decode_record = msgspec.json.Decoder(_Record).decode
read_glance = msgspec.json.Decoder(Glance).decode
read_glances = msgspec.json.Decoder(Glance).decode_lines


@dataclass(frozen=True, slots=True)
class Manifested:
    """A manifest as it stands at ``index``, and the heads of the sites that grew since the last one in this range."""

    index: int
    event: bytes
    site_id: str
    heads: dict[str, int]


@dataclass(slots=True)
class Order:
    """How the entries of a range follow each other; ranges are checked apart and joined in stitch.py.

    ``starts`` has the index and the sequence of each site's first entry in it, ``heads`` each site's next sequence.
    """

    starts: dict[str, tuple[int, int]] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)
    manifests: list[Manifested] = field(default_factory=list)
    pruned: list[PruneRecord] = field(default_factory=list)

    first_recorded: str = ""
    last_recorded: str = ""

    def pass_landmark(self, event_type: str, index: int, event: bytes, site_id: str) -> None:
        """Remembers a manifest or what was pruned."""
        if event_type == PRUNED:
            self.pruned.append(_read_record(index, event))
        else:
            self.manifests.append(Manifested(index, event, site_id, self.grown))
            self.grown = {}


@dataclass(frozen=True, slots=True)
class Lines:
    """Successive entries in columns, as `Opened` has them: each site and event is a line."""

    sites: bytes
    numbers: Sequence[int]
    times: bytes
    events: bytes

    def __len__(self) -> int:
        """How many they are."""
        return len(self.numbers)

    @classmethod
    def of(cls, opened: Opened) -> "Lines":
        """The entries of a bundle."""
        return cls(opened.sites, opened.numbers, opened.times, opened.events)

    def some(self, first: int, end: int) -> "Lines":
        """Those from the ``first`` on, up to and without ``end``."""
        if end - first == len(self):
            return self
        sites, events = (
            b"".join([b"%s\n" % line for line in lines.split(b"\n")[first:end]]) for lines in (self.sites, self.events)
        )
        return Lines(sites, self.numbers[first:end], self.times[first * TIME_BYTES : end * TIME_BYTES], events)

    def entry(self, number: int) -> bytes:
        """The bytes of one."""
        site, time = self.sites.split(b"\n")[number], self.recorded_at(number).encode()
        return b"%s %d %s\n%s" % (site, self.numbers[number], time, self.event(number))

    def event(self, number: int) -> bytes:
        """The bytes of one's event."""
        return self.events.split(b"\n")[number]

    def recorded_at(self, number: int) -> str:
        """When that one was recorded, as it stands in its header."""
        return self.times[number * TIME_BYTES : (number + 1) * TIME_BYTES].decode("latin-1")


def check_entries(
    entries: Sequence[bytes], first: int, order: Order, read: Callable[[bytes], E], events: list[E]
) -> None:
    """Checks entries from index ``first`` on, one by one, which follow those seen by ``order``. Raises Faulty.

    The events of those that are sound are added to ``events``, as ``read``.
    """
    following = (read(entry.partition(b"\n")[2]) for entry in entries)
    for index, entry in enumerate(entries, first):
        events.append(_check_entry(index, entry, order, following))


def check_order(lines: Lines, told: Sequence[Told], first: int, order: Order) -> None:
    """Checks the entries from index ``first`` on, whose events are ``told``, at once where they are as they are due."""
    done = 0
    for run, landmark in _runs(told):
        if not _pass_run(lines.some(done, done + len(run)), run, first + done, order):
            break
        done += len(run)
        if landmark:
            order.pass_landmark(run[-1].type, first + done - 1, lines.event(done - 1), run[-1].siteid)
    following = iter(told[done:])
    for at in range(done, len(told)):
        _check_entry(first + at, lines.entry(at), order, following)


def _runs(told: Sequence[E]) -> Iterator[tuple[Sequence[E], bool]]:
    """Events up to and with each manifest, or whatever else their order is to remember; then those after the last."""
    done = 0
    types = [one.type for one in told]
    ends = () if LANDMARKS.isdisjoint(types) else [at for at, kind in enumerate(types) if kind in LANDMARKS]
    for last in ends:
        yield told[done : last + 1], True
        done = last + 1
    if done < len(told):
        yield told[done:], False


def _pass_run(lines: Lines, told: Sequence[Told], first: int, order: Order) -> bool:
    """Whether the header of each is the one that is due; if not, ``order`` is as it was."""
    sites = [one.siteid for one in told]
    if "\n".join([*sites, ""]).encode() != lines.sites or not _are_stamps(lines, order.last_recorded):
        return False
    each = dict.fromkeys(sites)
    fresh = {site: sites.index(site) for site in each if site not in order.heads}
    if not all(map(SITE.fullmatch, fresh)):
        return False
    starts = {site: (first + at, lines.numbers[at]) for site, at in fresh.items()}
    due = {site: count(starts[site][1] if site in starts else order.heads[site]) for site in each}
    if [*map(next, map(due.__getitem__, sites))] != lines.numbers:
        return False
    grown = {site: next(number) for site, number in due.items()}
    order.starts |= starts
    order.heads |= grown
    order.grown |= grown
    order.first_recorded = order.first_recorded or lines.recorded_at(0)
    order.last_recorded = lines.recorded_at(len(told) - 1)
    return True


def _are_stamps(lines: Lines, before: str) -> bool:
    """Whether entries were recorded at times, of which none lies before another."""
    if lines.times == before.encode() * len(lines):
        return True
    stamps = [lines.recorded_at(number) for number in range(len(lines))]
    return before <= stamps[0] and stamps == sorted(stamps) and all(map(_is_time, set(stamps)))


def _is_time(text: str) -> bool:
    try:
        return format_time(datetime.fromisoformat(text)) == text
    except (ValueError, OverflowError, NotAnEntry):
        return False


def _check_entry(index: int, entry: bytes, order: Order, following: Iterator[E]) -> E:
    """Reads one entry exactly, unless its header is the one that is due; ``following`` gives its event next."""
    header, _, event = entry.partition(b"\n")
    try:
        told = next(following)
    except UNREADABLE as exc:
        _check_header(index, entry, order)
        raise Faulty("event", index, index + 1, f"the event can't be read: {exc}") from exc
    site = told.siteid
    number = order.heads.get(site)
    if number is None or header != f"{site} {number} {order.last_recorded}".encode():
        owner, number = _check_header(index, entry, order)
        if owner != site:
            raise Faulty("site", index, index + 1, f"the entry says {owner}, its event {site}")
    order.heads[site] = order.grown[site] = number + 1
    if told.type in LANDMARKS:
        order.pass_landmark(told.type, index, event, site)
    return told


def _check_header(index: int, raw: bytes, order: Order) -> tuple[str, int]:
    """The entry's site and sequence, after the exact reading of its header."""
    entry = _parse(index, raw)
    site, sequence, recorded_at = entry.site_id, entry.site_sequence, format_time(entry.recorded_at)
    if site not in order.heads:
        order.starts[site] = (index, sequence)
    elif sequence != order.heads[site]:
        raise Faulty("site-sequence", index, index + 1, out_of_sequence(site, sequence, order.heads[site]))
    if recorded_at < order.last_recorded:
        raise Faulty("recorded-at", index, index + 1, fallen(recorded_at, order.last_recorded))
    order.first_recorded = order.first_recorded or recorded_at
    order.last_recorded = recorded_at
    return site, sequence


def _parse(index: int, raw: bytes) -> Entry:
    try:
        return parse_entry(raw)
    except NotAnEntry as exc:
        raise Faulty("entry-format", index, index + 1, str(exc)) from exc


def out_of_sequence(site: str, sequence: int, due: int) -> str:
    """What is wrong with an entry that is not its site's next."""
    return f"it is number {sequence} of site {site}, and number {due} is due"


def fallen(recorded_at: str, before: str) -> str:
    """What is wrong with an entry that is older than the one before it."""
    return f"it was recorded at {recorded_at}, and the entry before it at {before}"


def _read_record(index: int, event: bytes) -> PruneRecord:
    try:
        return _decode_record(event).data
    except msgspec.MsgspecError as exc:
        raise Faulty("event", index, index + 1, f"what was pruned can't be read: {exc}") from exc


def recorded_at_of(entry: bytes) -> str:
    """When a well-formed entry was recorded, as it stands in its header."""
    return entry.partition(b"\n")[0].rpartition(b" ")[2].decode()
