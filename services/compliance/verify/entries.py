"""What each entry must be: well-formed, the next of its site, not older than the last one, around a readable event.

This is the innermost loop of a verification. Entries are passed, many at once, when their headers are, byte for byte,
those that their events' sites are due; only what is not as expected is read by the exact parser, which says what is
wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count, repeat
from typing import Protocol, TypeVar

import msgspec

from services.compliance.log.entry import Entry, NotAnEntry, format_time, parse_entry
from services.compliance.verify.domain import Faulty, PruneRecord

MANIFEST = "log.manifest"
"""The type of a manifest; checkpoints/manifest.py writes them."""

PRUNED = "log.pruned"
LANDMARKS = frozenset((MANIFEST, PRUNED))
TIME_LENGTH = len("2026-03-01T00:00:00.000000Z")
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


def check_entries(
    entries: Sequence[bytes], first: int, order: Order, read: Callable[[bytes], E], events: list[E]
) -> None:
    """Checks entries from index ``first`` on, which follow those seen by ``order``. Raises Faulty.

    The events of those that are sound are added to ``events``, as ``read``.
    """
    if not entries:
        return
    lines = Lines.of(entries)
    try:
        told = list(map(read, lines.events))
    except UNREADABLE:
        following = map(read, lines.events)
        for index, entry in enumerate(entries, first):
            events.append(_check_entry(index, entry, order, following))
    else:
        check_order(entries, lines, told, first, order, events)


@dataclass(frozen=True, slots=True)
class Lines:
    """The headers of entries, and what follows them."""

    headers: Sequence[bytes]
    events: Sequence[bytes]

    @classmethod
    def of(cls, entries: Sequence[bytes]) -> "Lines":
        """Divides entries, of which there is one at least, at their first line feeds."""
        headers, _, events = zip(*[entry.partition(b"\n") for entry in entries], strict=True)
        return cls(headers, events)


def check_order(
    entries: Sequence[bytes], lines: Lines, told: Sequence[E], first: int, order: Order, events: list[E]
) -> None:
    """Does what `check_entries` does for entries whose events, ``told``, can be read."""
    done = 0
    for run, landmark in _runs(told):
        if not _pass_run(lines.headers[done : done + len(run)], run, order):
            break
        done += len(run)
        events += run[: len(run) - landmark]
        if landmark:
            order.pass_landmark(run[-1].type, first + done - 1, lines.events[done - 1], run[-1].siteid)
            events.append(run[-1])
    following = iter(told[done:])
    for at in range(done, len(entries)):
        events.append(_check_entry(first + at, entries[at], order, following))


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


def _pass_run(headers: Sequence[bytes], told: Sequence[E], order: Order) -> bool:
    """Whether each header is, byte for byte, the one that is due; if not, ``order`` is as it was.

    All are compared as one string. None of them holds a line feed, so what is the same is so line by line.
    """
    sites = [one.siteid for one in told]
    stamps = _stamps(headers, order.last_recorded)
    if stamps is None or not {*sites} <= order.heads.keys():
        return False
    numbers = {site: count(order.heads[site]) for site in {*sites}}
    following = map(next, map(numbers.__getitem__, sites))
    due = [f"{site} {number} {stamp}" for site, number, stamp in zip(sites, following, stamps, strict=False)]
    if "\n".join(due).encode() != b"\n".join(headers):
        return False
    grown = {site: next(number) for site, number in numbers.items()}
    order.heads |= grown
    order.grown |= grown
    order.last_recorded = recorded_at_of(headers[-1])
    return True


def _stamps(headers: Sequence[bytes], before: str) -> Iterable[str] | None:
    """When entries were recorded, by their headers; None unless these are times, of which none lies before another."""
    if headers[-1].endswith(before.encode()):
        return repeat(before)
    stamps = [header[-TIME_LENGTH:].decode("latin-1") for header in headers]
    is_sound = before <= stamps[0] and stamps == sorted(stamps) and all(map(_is_time, set(stamps)))
    return stamps if is_sound else None


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
