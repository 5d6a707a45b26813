"""How a value is written in a cell, and read from one. Pure.

What is written is read back as the same value. Nothing that is written is carried out by a spreadsheet that opens it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from shared.errors import Malformed

CellKind = Literal["text", "integer", "decimal", "day", "moment", "flag", "list", "json"]
Reference = Literal["group", "vendor", "product", "system", "component", "asset", "assets", "contract", "document"]

EMPTIES = "-"
"""The cell that takes away what is there; an empty cell leaves it."""

QUOTE = "'"
COMPUTED = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet might carry out when a cell begins with it."""

MAX_CELL = 32_000
_HARMLESS = re.compile(r"[+-]([0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+|[0-9 ()/.,-]*)")
"""A number with its sign, or one to dial."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}(\.0+)?")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?")
_COMMA = re.compile(r"([+-]?[0-9]{1,15}),([0-9]{1,15})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
FLAGS: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False}


_NO_XML = re.compile("[\ufffe\uffff]|_(?=x(?:005F|FFFE|FFFF)_)")
_ESCAPED = re.compile(r"_x(005F|FFFE|FFFF)_")
"""Characters that XML can't hold, and the sign of their escapes, as ECMA-376 part 1 §22.4.2.4 writes them."""


def escaped(text: str) -> str:
    """The text as a workbook can hold it."""
    return _NO_XML.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def unescaped(text: str) -> str:
    """The text that a workbook holds."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


@dataclass(frozen=True)
class Column:
    """A column of a sheet: what its cells hold, and an example of one.

    ``field`` is the name of the same thing over REST, with dots where it lies deeper; ``refers`` says to what a cell
    refers, by id or by name; ``needed`` is what nothing can be made without.
    """

    name: str
    example: str
    kind: CellKind = "text"
    field: str = ""
    refers: Reference | None = None
    needed: bool = False


def write_cell(kind: CellKind, value: Any) -> str:
    """The cell of a value; of None, an empty one."""
    text = _written(kind, value)
    is_number = kind in ("integer", "decimal")
    return QUOTE + text if text.startswith((*COMPUTED, QUOTE)) and not is_number else text


def _written(kind: CellKind, value: Any) -> str:
    if value is None or value == []:
        return ""
    if kind == "list":
        return "|".join(str(item).replace("\\", "\\\\").replace("|", "\\|") for item in value)
    if kind == "json":
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def read_cell(column: Column, cell: str) -> Any:
    """The value of a cell that is not empty; None for one that takes away what is there. Raises Malformed."""
    if len(cell) > MAX_CELL:
        raise Malformed(column.name, f"must have at most {MAX_CELL} characters", column.example)
    if cell == EMPTIES:
        return [] if column.kind == "list" else None
    return read_text(column, _unquoted(column, cell))


def read_text(column: Column, text: str) -> Any:
    """The value of a text, which says nothing by a sign or a quote before it. Raises Malformed."""
    try:
        return _READERS[column.kind](text)
    except ValueError as exc:
        raise Malformed(column.name, str(exc), column.example) from exc


def _unquoted(column: Column, cell: str) -> str:
    if cell.startswith(QUOTE) and cell[1:].startswith((*COMPUTED, QUOTE)):
        return cell[1:]
    if cell.startswith(COMPUTED) and not _HARMLESS.fullmatch(cell):
        raise Malformed(column.name, f"must not begin like a formula, unless {QUOTE} stands before it", column.example)
    return cell


def _read_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number without signs between its digits")
    return int(text.partition(".")[0])


def _read_decimal(text: str) -> float:
    if match := _COMMA.fullmatch(text):
        if len(match[2]) == 3:
            raise ValueError(
                "could be thousands or a fraction; write the fraction behind a point, thousands with no sign"
            )
        return float(f"{match[1]}.{match[2]}")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a number, with a point or a comma before its fraction and no sign for thousands")
    return float(text)


def _read_day(text: str) -> date:
    if _DAY.fullmatch(text):
        return _a_date(text)
    if match := _DOTTED.fullmatch(text):
        day, month = int(match[1]), int(match[2])
        if day <= 12 and month <= 12 and day != month:
            raise ValueError("could be two dates; write the year, the month and the day with dashes")
        return _a_date(f"{match[3]}-{month:02}-{day:02}")
    raise ValueError("must be a date as year-month-day, or as day.month.year with a day that is no month")


def _a_date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ValueError("must be a date that the calendar has") from exc


def _read_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError("must be a date and time with its offset") from exc
    if moment.tzinfo is None:
        raise ValueError("must say its offset from UTC, or Z")
    return moment


def _read_flag(text: str) -> bool:
    if text.lower() not in FLAGS:
        raise ValueError(f"must be one of {', '.join(FLAGS)}")
    return FLAGS[text.lower()]


def _read_list(text: str) -> list[str]:
    """Items with ``|`` between them; ``\\`` stands before a ``|`` or ``\\`` that belongs to one."""
    items, item, is_escaped = [], "", False
    for char in text:
        if char == "|" and not is_escaped:
            items.append(item.strip())
            item = ""
        elif char == "\\" and not is_escaped:
            is_escaped = True
            continue
        else:
            item += char
        is_escaped = False
    return [item for item in (*items, item.strip()) if item]


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be JSON") from exc


_READERS: Mapping[CellKind, Callable[[str], Any]] = {
    "text": str,
    "integer": _read_integer,
    "decimal": _read_decimal,
    "day": _read_day,
    "moment": _read_moment,
    "flag": _read_flag,
    "list": _read_list,
    "json": _read_json,
}
