"""What each entry must be: well-formed, the next of its site, not older than the last one, around a readable event.

This is the innermost loop of a verification. An entry is passed when its header is, byte for byte, the one that its
event's site is due; only what is not as expected is read by the exact parser, which says what is wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import msgspec

from services.compliance.log.entry import Entry, NotAnEntry, format_time, parse_entry
from services.compliance.verify.domain import Faulty, PruneRecord

MANIFEST = "log.manifest"
"""The type of a manifest; checkpoints/manifest.py writes them."""

PRUNED = "log.pruned"
LANDMARKS = frozenset((MANIFEST, PRUNED))


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

    def pass_landmark(self, event_type: str, index: int, event: bytes, site_id: str) -> dict[str, int]:
        """Remembers a manifest or what was pruned; returns the heads of sites that grew since the last manifest."""
        if event_type == PRUNED:
            self.pruned.append(_read_record(index, event))
        else:
            self.manifests.append(Manifested(index, event, site_id, self.grown))
            self.grown = {}
        return self.grown


def check_entries(
    entries: Sequence[bytes], first: int, order: Order, read: Callable[[bytes], E], events: list[E]
) -> None:
    """Checks entries from index ``first`` on, which follow those seen by ``order``. Raises Faulty.

    The events of those that are sound are added to ``events``, as ``read``.
    """
    heads, grown, last_recorded = order.heads, order.grown, order.last_recorded
    for index, entry in enumerate(entries, first):
        header, _, event = entry.partition(b"\n")
        try:
            told = read(event)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            _check_header(index, entry, order)
            raise Faulty("event", index, index + 1, f"the event can't be read: {exc}") from exc
        site = told.siteid
        number = heads.get(site)
        if number is None or header != f"{site} {number} {last_recorded}".encode():
            owner, number = _check_header(index, entry, order)
            if owner != site:
                raise Faulty("site", index, index + 1, f"the entry says {owner}, its event {site}")
            last_recorded = order.last_recorded
        heads[site] = grown[site] = number + 1
        if told.type in LANDMARKS:
            grown = order.pass_landmark(told.type, index, event, site)
        events.append(told)


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
