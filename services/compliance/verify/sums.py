"""What a database keeps of all entries together, held against what they sum up to."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from services.compliance.log.entry import format_time
from services.compliance.log.index import microseconds
from services.compliance.verify.domain import Computed, Faulty, Numbers, Span

DAY_ZERO = date(2000, 1, 1)
NUMBERED = ("probe.result", 0)
PARTITIONED = ("chunks", "events", "mentions")


def check_sequences(stored: Iterable[tuple[str, int, int]], computed: Computed) -> None:
    """That each site's next sequence is the number of its entries. Raises Faulty, here and below."""
    there = {site: following for site, _, following in stored}
    for site in sorted(there.keys() | computed.sequences.keys()):
        entries, following = computed.sequences.get(site), there.get(site)
        if entries != following:
            detail = f"site {site} has {entries or 'no'} entries, and its next sequence is {following}"
            raise Faulty("next-sequence", computed.size, computed.size, detail)


def check_types(numbers: Numbers, computed: Computed) -> None:
    """That there is no type without an entry, but for the one that the migrations number."""
    used = {kind for _, _, kind in computed.totals.days}
    commonest, due = NUMBERED
    if numbers.types.get(commonest) != due:
        raise Faulty("name", computed.size, computed.size, f"the type {commonest} must have the number {due}")
    for name, number in sorted(numbers.types.items()):
        if number not in used and name != commonest:
            raise Faulty("name", computed.size, computed.size, f"no entry is of the type {name}")


def check_days(stored: Mapping[tuple[date, int, int], int], computed: Computed) -> None:
    """That the counts by day, site and type are those of the entries."""
    due = {(DAY_ZERO + timedelta(day), site, kind): n for (day, site, kind), n in computed.totals.days.items()}
    for key in sorted(due.keys() | stored.keys()):
        if due.get(key) != stored.get(key):
            day, site, kind = key
            detail = f"on {day}, site number {site} has {due.get(key, 0)} events of type number {kind}, "
            raise Faulty("counts", computed.size, computed.size, f"{detail}and {stored.get(key, 0)} are counted")


def check_partitions(
    stored: Mapping[int, Sequence[datetime | None]],
    children: set[tuple[str, str]],
    numbers: Numbers,
    computed: Computed,
) -> None:
    """That the partitions are those that the entries need, and say of their times what the entries say."""
    width = numbers.partition_entries
    for number in sorted(stored.keys() | set(range(-(-computed.size // width)))):
        first, end = number * width, min((number + 1) * width, computed.size)
        there, due = stored.get(number), computed.totals.partitions.get(number)
        if there is None or first >= end:
            detail = "is not recorded" if there is None else "has no entry"
            raise Faulty("partition", first, max(first, end), f"partition {number} {detail}")
        if first >= computed.began and due is not None and _texts(there) != _dues(due):
            detail = f"partition {number} has the times {_texts(there)}, and its entries' are {_dues(due)}"
            raise Faulty("partition", first, end, detail)
        for table in PARTITIONED:
            bounds = f"FOR VALUES FROM ('{first}') TO ('{first + width}')"
            if (f"{table}_{number}", bounds) not in children:
                raise Faulty("partition", first, end, f"there is no table {table}_{number} {bounds}")
    if len(children) != len(stored) * len(PARTITIONED):
        raise Faulty("partition", computed.size, computed.size, f"{len(stored)} partitions have {len(children)} tables")


def _texts(times: Sequence[datetime | None]) -> list[int | str]:
    first, last, first_recorded, last_recorded = times
    return [
        *(0 if time is None else microseconds(time) for time in (first, last)),
        *("" if time is None else format_time(time) for time in (first_recorded, last_recorded)),
    ]


def _dues(span: Span) -> list[int | str]:
    return [span.first_time, span.last_time, span.first_recorded, span.last_recorded]
