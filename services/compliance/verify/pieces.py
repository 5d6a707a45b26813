"""One range of bundles: all that can be checked about it alone, and what is needed to join it to the others.

Ranges are checked in any order and in any process. Within a range the first fault ends the reading.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from services.compliance.log.hashing import HASH_BYTES, LENGTH_BYTES, fold, leaf_hashes, open_bundle
from services.compliance.log.index import StoredEvent, read_event, read_events
from services.compliance.verify.derived import Derived, derive
from services.compliance.verify.domain import BUNDLE, Fault, Faulty, Gap, Kind, Numbers, Piece, Reader, Totals
from services.compliance.verify.entries import (
    UNREADABLE,
    E,
    Lines,
    Order,
    Told,
    check_entries,
    check_order,
    read_glance,
    read_glances,
    recorded_at_of,
)
from services.compliance.verify.rows import check_rows


@dataclass(frozen=True, slots=True)
class Task:
    """A range to be checked, from ``first``, a multiple of 256. ``cuts`` are the sizes in it whose roots are asked for.

    ``ours`` says that the entries are Steward's; those of another log are hashed and not looked into. Of those in
    a ``gap`` there are only the leaf hashes.
    """

    first: int
    end: int
    cuts: tuple[int, ...] = ()
    ours: bool = True
    gap: Gap | None = None


@dataclass(slots=True)
class Range:
    """What was seen of a task. ``roots`` are those of its complete bundles side by side, ``tails`` those of the first
    ``size % 256`` leaves of the bundle that a cut goes through."""

    task: Task
    roots: bytes = b""
    tails: dict[int, bytes] = field(default_factory=dict)
    order: Order = field(default_factory=Order)
    totals: Totals = field(default_factory=Totals)
    fault: Fault | None = None
    reached: int = 0
    """The entries below this index were seen to be sound in themselves."""


def check_range(reader: Reader, task: Task) -> Range:
    """Reads and checks a range; a fault is in the result, never raised."""
    seen = Range(task)
    hashes = b""
    try:
        for pieces in _by_bundle(reader.pieces(task.first, task.end)):
            is_checked = _check_at_once(pieces, reader.numbers, seen)
            for piece in pieces:
                if not is_checked:
                    check_piece(piece, reader.numbers, seen)
                seen.reached = piece.end
                hashes += piece.hashes
                seen.roots += piece.root
            if seen.reached % BUNDLE == 0 or seen.reached == task.end:
                _close_bundle((seen.reached - 1) // BUNDLE * BUNDLE, hashes, seen)
                hashes = b""
    except Faulty as exc:
        seen.fault = exc.fault
    return seen


def _by_bundle(pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
    """The pieces of one bundle together; of one whose reading fails, those that were read come before the failure."""
    there: list[Piece] = []
    try:
        for piece in pieces:
            there.append(piece)
            if piece.end % BUNDLE == 0:
                yield there
                there = []
    except Faulty:
        if there:
            yield there
        raise
    if there:
        yield there


def _check_at_once(pieces: Sequence[Piece], numbers: Numbers | None, seen: Range) -> bool:
    """Checks the pieces of a bundle with its index rows together, which takes less time than one after the other.

    Returns False, with ``seen`` as it was, when something is wrong with a piece or a row: what that is, the checks of
    each piece tell. Raises Faulty for what is wrong with the order of entries.
    """
    if not seen.task.ours or seen.task.gap:
        return False
    lines = _open(pieces)
    if lines is None:
        return False
    if numbers is None:
        told = _read(lines, read_glances)
        return told is not None and _pass_entries(lines, told, pieces, seen)
    events = _read(lines, read_events)
    derived = None if events is None else _derive(events, pieces, numbers, lines)
    if events is None or derived is None:
        return False
    _pass_entries(lines, events, pieces, seen)
    derived.add_to(seen.totals, (lines.recorded_at(0), seen.order.last_recorded), numbers)
    return True


def _open(pieces: Sequence[Piece]) -> Lines | None:
    """The entries of successive pieces; None unless these are whole, and hash to what is stored."""
    first = pieces[0].first
    opened = open_bundle(b"".join([piece.body for piece in pieces]), pieces[-1].end - first)
    if opened is None or opened.hashes != b"".join([piece.hashes for piece in pieces]):
        return None
    ends = accumulate([len(piece.body) for piece in pieces])
    is_each_whole = all(opened.ends[piece.end - first - 1] == end for piece, end in zip(pieces, ends, strict=True))
    return Lines.of(opened) if is_each_whole else None


def _read(lines: Lines, read: Callable[[bytes], list[E]]) -> list[E] | None:
    """The events; None when one of them can't be read. `Opened` says why so many objects mean one in each line."""
    try:
        events = read(lines.events)
    except UNREADABLE:
        return None
    return events if len(events) == len(lines) else None


def _pass_entries(lines: Lines, told: Sequence[Told], pieces: Sequence[Piece], seen: Range) -> bool:
    try:
        check_order(lines, told, pieces[0].first, seen.order)
    except Faulty as exc:
        seen.reached = max([seen.reached, *(piece.end for piece in pieces if piece.end <= exc.fault.first)])
        raise
    return True


def _derive(events: Sequence[StoredEvent], pieces: Sequence[Piece], numbers: Numbers, lines: Lines) -> Derived | None:
    """What follows from the events; None unless it is what is stored beside them."""
    if numbers.partition_entries % BUNDLE:
        return None
    try:
        derived = derive(events, pieces[0].first, numbers)
    except Faulty:
        return None
    return derived if _has_rows(pieces, derived, lines) else None


def _has_rows(pieces: Sequence[Piece], derived: Derived, lines: Lines) -> bool:
    """Whether what is stored beside the entries is what follows from them."""
    first, end, rows = pieces[0].first, pieces[-1].end, pieces[0].rows
    if rows is None or (derived.events, derived.mentions) != (
        rows.events.between(first, end),
        rows.mentions.between(first, end),
    ):
        return False
    recorded = [(piece.rows and piece.rows.recorded_at, lines.recorded_at(piece.end - 1 - first)) for piece in pieces]
    return all(there in (None, due) for there, due in recorded)


def _close_bundle(first: int, hashes: bytes, seen: Range) -> None:
    if len(hashes) == BUNDLE * HASH_BYTES:
        seen.roots += fold(hashes)
    for cut in seen.task.cuts:
        if first < cut < first + BUNDLE:
            seen.tails[cut] = fold(hashes[: (cut - first) * HASH_BYTES])


def check_piece(piece: Piece, numbers: Numbers | None, seen: Range) -> None:
    """What is wrong with the piece as a whole is told after the entries before it, which may be wrong themselves."""
    first = piece.first
    if not piece.root:
        check_width(piece.hashes, piece.end - first, first, piece.end)
    if seen.task.gap:
        return
    entries, damage = divide(piece.body, first, piece.end)
    hashes = leaf_hashes(entries)
    if hashes != piece.hashes[: len(hashes)]:
        damage = _first_other_leaf(hashes, piece.hashes, first)
        entries = entries[: damage.first - first]
    if seen.task.ours:
        _look_into(entries, piece, numbers, seen)
    if damage is not None:
        raise Faulty(damage.kind, damage.first, damage.end, damage.detail)


def _look_into(entries: list[bytes], piece: Piece, numbers: Numbers | None, seen: Range) -> None:
    if numbers is None or piece.rows is None:
        check_entries(entries, piece.first, seen.order, read_glance, [])
        return
    events: list[StoredEvent] = []
    try:
        check_entries(entries, piece.first, seen.order, read_event, events)
    except Faulty:
        check_rows(events, ("", ""), piece, numbers, seen.totals)
        raise
    if entries:
        recorded = (recorded_at_of(entries[0]), seen.order.last_recorded)
        check_rows(events, recorded, piece, numbers, seen.totals)
    there = piece.rows.recorded_at
    if len(events) == piece.end - piece.first and there not in (None, seen.order.last_recorded):
        detail = f"the chunk says {there}, its last entry {seen.order.last_recorded}"
        raise Faulty("recorded-at", piece.first, piece.end, detail)


def check_width(hashes: bytes, width: int, first: int, end: int) -> None:
    """Raises Faulty unless there are exactly ``width`` hashes, over the entries from ``first`` up to ``end``."""
    due, there = width * HASH_BYTES, len(hashes)
    if there == due:
        return
    kind: Kind = "tile-width"
    if not there:
        kind = "tile-empty"
    elif there % HASH_BYTES:
        kind = "tile-short" if there < due else "tile-long"
    raise Faulty(kind, first, end, f"the tile must have {due} bytes for {width} hashes, and has {there}")


def divide(body: bytes, first: int, end: int) -> tuple[list[bytes], Fault | None]:
    """The whole entries of a bundle, and what is wrong with its length."""
    entries: list[bytes] = []
    at = 0
    try:
        for _ in range(first, end):
            begin = at + LENGTH_BYTES
            at = begin + (body[at] << 8 | body[at + 1])
            entries.append(body[begin:at])
    except IndexError:
        pass
    if at == len(body) and len(entries) == end - first:
        return entries, None
    if at > len(body):
        entries.pop()
    return entries, _damage(body, at, first, end, first + len(entries))


def _damage(body: bytes, at: int, first: int, end: int, index: int) -> Fault:
    if not body:
        return Fault("bundle-empty", first, end, "the bundle has no entry")
    if index == end:
        return Fault("bundle-long", first, end, f"{len(body) - at} bytes follow the last of the bundle's entries")
    if at == len(body):
        detail = f"the bundle ends with the entry before it, and must have {end - first} entries"
        return Fault("bundle-short", index, index + 1, detail)
    return Fault("bundle-cut", index, index + 1, "the bundle ends within this entry")


def _first_other_leaf(hashes: bytes, stored: bytes, first: int) -> Fault:
    for index, at in enumerate(range(0, len(hashes), HASH_BYTES), first):
        leaf = hashes[at : at + HASH_BYTES]
        if leaf != stored[at : at + HASH_BYTES]:
            return Fault("leaf-hash", index, index + 1, f"its bytes hash to {leaf.hex()}, which is not what is stored")
    raise ValueError("the hashes are the same")
