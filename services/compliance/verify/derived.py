"""What an index must hold of events, made of many at once: their rows, and what these add to the totals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from services.compliance.log.columns import all_microseconds, correlations
from services.compliance.log.index import DAY, StoredEvent, digest, mention_rows
from services.compliance.log.outcome import outcome_of
from services.compliance.verify.columns import MENTION, Columns, bigints, indexes
from services.compliance.verify.domain import Faulty, Numbers, Span, Totals

REMEMBERED = 16_384
REMEMBERED_LENGTH = 512

Named = tuple[str, str, str, str, object]
"""What an event says that its row has a digest or a number of: subject, actor, site, type, and its data's outcome."""

Parts = tuple[bytes, bytes]
"""What its row has for these: the digests of subject and actor; the numbers of site and type, and the outcome."""

_DIGESTS = Struct(">qq")
_NUMBERED = Struct(">hhh")
_COPIED_MENTION = Struct(">6x8s4x8s4x8s4x2s")
"""A row as `mention_rows` makes it for COPY, with the widths of its columns in it."""


@dataclass(frozen=True, slots=True)
class Derived:
    """The columns of the rows of successive events from the ``first`` on."""

    first: int
    events: Columns
    mentions: Columns
    times: Sequence[int]
    numbered: Sequence[bytes]

    def add_to(self, totals: Totals, recorded: tuple[str, str], numbers: Numbers) -> None:
        """Counts the events; ``recorded`` is when the first and the last of them were recorded."""
        earliest, latest = min(self.times), max(self.times)
        totals.extend(self.first // numbers.partition_entries, Span(earliest, latest, *recorded))
        day = earliest // DAY
        counts = {(day, part): count for part, count in Counter(self.numbered).items()}
        if latest // DAY != day:
            counts = Counter((time // DAY, part) for time, part in zip(self.times, self.numbered, strict=True))
        for (day, part), count in counts.items():
            site, kind, _ = _NUMBERED.unpack(part)
            totals.days[day, site, kind] += count


def derive(events: Sequence[StoredEvent], first: int, numbers: Numbers) -> Derived:
    """What follows from the events of the entries from ``first`` on, of which there is one at least.

    Raises Faulty for the first site or type without a number.
    """
    named, numbered = zip(*_parts(events, first, numbers), strict=True)
    times = all_microseconds([event.time for event in events])
    rows = (
        indexes(first, len(events)),
        bigints(times),
        b"".join(named),
        correlations([event.correlationid for event in events]),
        b"".join(numbered),
    )
    return Derived(first, rows, _mentions(events, first, times, numbered), times, numbered)


def _mentions(events: Sequence[StoredEvent], first: int, times: Sequence[int], numbered: Sequence[bytes]) -> Columns:
    telling = [
        at for at, event in enumerate(events) if event.data.system_id is not None or event.data.systems is not None
    ]
    rows = b"".join(
        [mention_rows(first + at, times[at], _NUMBERED.unpack(numbered[at])[0], events[at].data) for at in telling]
    )
    return tuple(map(b"".join, zip(*_COPIED_MENTION.iter_unpack(rows), strict=True))) or (b"",) * len(MENTION)


class _Remembered(dict[Named, Parts]):
    """The parts of rows as they were made last, since few subjects have most of the events."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, named: Named) -> Parts:
        if len(self) >= REMEMBERED:
            self.clear()
        made = _make_parts(named, self._numbers)
        if sum(len(text) for text in named if isinstance(text, str)) <= REMEMBERED_LENGTH:
            self[named] = made
        return made


_remembered = lru_cache(2)(_Remembered)


def _make_parts(named: Named, numbers: Numbers) -> Parts:
    """Raises KeyError for a site or a type without a number."""
    subject, actor, site, kind, outcome = named
    numbered = _NUMBERED.pack(numbers.sites[site], numbers.types[kind], outcome_of(kind, outcome))
    return _DIGESTS.pack(digest(subject), digest(actor)), numbered


def _parts(events: Sequence[StoredEvent], first: int, numbers: Numbers) -> list[Parts]:
    """Raises Faulty for the first site or type without a number."""
    parts = _remembered(numbers)
    try:
        return [parts[one.subject, one.actor, one.siteid, one.type, one.data.outcome] for one in events]
    except (KeyError, TypeError):
        # There is a name without a number, or an outcome that is no text, by which nothing can be remembered.
        return [_part(index, event, numbers) for index, event in enumerate(events, first)]


def _part(index: int, event: StoredEvent, numbers: Numbers) -> Parts:
    for name, known in ((event.siteid, numbers.sites), (event.type, numbers.types)):
        if name not in known:
            raise Faulty("name", index, index + 1, f"the index has no number for {name}")
    return _make_parts((event.subject, event.actor, event.siteid, event.type, event.data.outcome), numbers)
