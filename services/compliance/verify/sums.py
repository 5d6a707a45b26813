"""What a database keeps of all entries together, held against what they sum up to."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from services.compliance.log.entry import format_time
from services.compliance.log.index import instant_of
from services.compliance.verify.domain import Computed, Faulty, Gap, Numbers, PartitionRow, Span

DAY_ZERO = date(2000, 1, 1)
NUMBERED = ("probe.result", 0)
PATIENCE = timedelta(minutes=10)
PARTITIONED = ("chunks", "events", "mentions")
TIMES = ("the first event's time", "the last event's time", "the first entry's recording", "the last entry's recording")


def check_sequences(stored: Iterable[tuple[str, int, int]], computed: Computed) -> None:
    """That each site's next sequence is the number of its entries. Raises Faulty, here and below."""
    if computed.sequences is None:
        return
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
    stored: Mapping[int, PartitionRow],
    children: set[tuple[str, str]],
    numbers: Numbers,
    computed: Computed,
) -> None:
    """That the partitions are those that the entries need, and say of their times what the entries say."""
    width = numbers.partition_entries
    for number in sorted(stored.keys() | set(range(-(-computed.size // width)))):
        first, end = number * width, min((number + 1) * width, computed.size)
        there, due = stored.get(number), computed.totals.partitions.get(number)
        if there is None or not 0 <= first < end:
            detail = "is not recorded" if there is None else "has no entry"
            raise Faulty("partition", first, max(first, end), f"partition {number} {detail}")
        if there.pruned_at is not None:
            continue
        if first >= computed.began and due is not None and _texts(there.times) != _dues(due):
            differing = [
                f"{name} is {has or 'missing'}, and must be {should}"
                for name, has, should in zip(TIMES, _texts(there.times), _dues(due), strict=True)
                if has != should
            ]
            raise Faulty("partition", first, end, f"of partition {number}: {'; '.join(differing)}")
        for table in PARTITIONED:
            bounds = f"FOR VALUES FROM ('{first}') TO ('{first + width}')"
            if (f"{table}_{number}", bounds) not in children:
                raise Faulty("partition", first, end, f"there is no table {table}_{number} {bounds}")
    due_tables = {
        f"{table}_{number}" for number, row in stored.items() if row.pruned_at is None for table in PARTITIONED
    }
    others = sorted(name for name, _ in children if name not in due_tables)
    if others:
        detail = f"{others[0]} is a table of no partition, or of one that is said to be pruned"
        raise Faulty("partition", computed.size, computed.size, detail)


def gaps_of(stored: Mapping[int, PartitionRow], width: int, size: int) -> list[Gap]:
    """The partitions that were pruned, by rising index, as far as they lie within the log."""
    numbers = sorted(number for number, row in stored.items() if row.pruned_at is not None)
    return [(n * width, (n + 1) * width) for n in numbers if n * width >= 0 and (n + 1) * width <= size]


def check_gaps(stored: Mapping[Gap, PartitionRow], computed: Computed) -> None:
    """That an entry records each pruned partition with the root over what it held, and where its archive is.

    The record of one may itself be among what was pruned later; and it comes some time after the pruning. What an
    earlier verification read, if only its beginning, is not asked for again.
    """
    for (first, end), row in stored.items():
        root, record = computed.pruned.get((first, end)), computed.records.get((first, end))
        if end > computed.size:
            raise Faulty("partition", first, computed.size, f"entries up to {end - 1} can't have been pruned yet")
        if root is None:
            continue
        if record is None:
            may_be_pruned = any(later > first for later, _ in computed.pruned)
            if not may_be_pruned and row.pruned_at and computed.recorded_at > format_time(row.pruned_at + PATIENCE):
                raise Faulty("partition", first, end, "these entries were pruned, and no entry records it")
        elif record.root != root.hex():
            raise Faulty("partition", first, end, f"they were pruned with the root {record.root}, not {root.hex()}")
        elif record.location != row.location:
            detail = f"their archive was at {record.location}, and is said to be at {row.location}"
            raise Faulty("partition", first, end, detail)


def notes_of(stored: Mapping[Gap, PartitionRow]) -> Iterator[str]:
    """What was pruned, in sentences; one for all partitions side by side that are in the same archive."""
    for location, places in groupby(sorted(stored), key=lambda gap: stored[gap].location):
        joined: list[Gap] = []
        for first, end in places:
            if joined and joined[-1][1] == first:
                first, _ = joined.pop()
            joined.append((first, end))
        for first, end in joined:
            yield f"entries {first} to {end - 1} were pruned: their leaf hashes were checked; they are in {location}"


def _texts(times: Sequence[datetime | None]) -> list[str]:
    return ["" if time is None else format_time(time) for time in times]


def _dues(span: Span) -> list[str]:
    events = [format_time(instant_of(time)) for time in (span.first_time, span.last_time)]
    return [*events, span.first_recorded, span.last_recorded]
