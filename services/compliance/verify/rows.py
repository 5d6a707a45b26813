"""The rows that an index must have for entries, built anew from their events and compared as bytes."""

from collections.abc import Iterator, Sequence

from services.compliance.log.index import EVENT_COLUMNS, MENTION_COLUMNS, StoredEvent
from services.compliance.verify.columns import EVENT, MENTION, Columns, Layout, rows_of
from services.compliance.verify.derived import derive
from services.compliance.verify.domain import Faulty, Kind, Numbers, Piece, Totals


def check_rows(
    events: Sequence[StoredEvent], recorded: tuple[str, str], piece: Piece, numbers: Numbers, totals: Totals
) -> None:
    """Compares the rows of the first entries of a piece, whose events these are, and adds them to the totals.

    ``recorded`` is when the first and the last of them were recorded. Raises Faulty.
    """
    if piece.rows is None or not events:
        return
    derived = derive(events, piece.first, numbers)
    end = piece.first + len(events)
    _compare(derived.events, piece.rows.events.between(piece.first, end), EVENT, EVENT_COLUMNS)
    _compare(derived.mentions, piece.rows.mentions.between(piece.first, end), MENTION, MENTION_COLUMNS)
    derived.add_to(totals, recorded, numbers)


def _compare(due: Columns, stored: Columns, layout: Layout, names: Sequence[str]) -> None:
    """Raises Faulty unless the rows that are stored are those that are due."""
    if due != stored:
        raise _first_difference(_by_index(due, layout), _by_index(stored, layout), names)


def _by_index(columns: Columns, layout: Layout) -> dict[int, list[tuple[int, ...]]]:
    found: dict[int, list[tuple[int, ...]]] = {}
    for row in rows_of(columns, layout):
        found.setdefault(row[0], []).append(row)
    return found


def _first_difference(
    due: dict[int, list[tuple[int, ...]]], there: dict[int, list[tuple[int, ...]]], columns: Sequence[str]
) -> Faulty:
    index = min(index for index in due.keys() | there.keys() if due.get(index) != there.get(index))
    rows, stored = due.get(index, []), there.get(index, [])
    kind: Kind = "index" if "outcome" in columns else "mention"
    if len(stored) < len(rows):
        kind = "index-missing" if kind == "index" else "mention"
        return Faulty(kind, index, index + 1, f"{len(stored)} of its {len(rows)} rows are there")
    if len(stored) > len(rows):
        kind = "index-extra" if kind == "index" else "mention"
        return Faulty(kind, index, index + 1, f"it has {len(stored)} rows, and {len(rows)} are due")
    return Faulty(kind, index, index + 1, "; ".join(_differences(rows, stored, columns)))


def _differences(
    rows: Sequence[tuple[int, ...]], stored: Sequence[tuple[int, ...]], columns: Sequence[str]
) -> Iterator[str]:
    for row, other in zip(rows, stored, strict=True):
        for column, value, found in zip(columns, row, other, strict=True):
            if value != found:
                yield f"{column} is {found}, and follows from the entry to be {value}"
