"""A list of nodes as CSV, as spreadsheets write it: UTF-8 or Windows' Latin, commas, semicolons or tabs."""

import csv
from collections.abc import Iterator

from services.inventory.imports.domain import EXAMPLES, BadList, Listed, check_size, read_rows

COLUMNS = tuple(EXAMPLES)
NEEDED = ("name", "ae_title", "host", "port")
DELIMITERS = (",", ";", "\t")
EXTRA = "row"


def read_sheet(raw: bytes) -> Listed:
    """Reads a CSV file with a header line. Raises BadList."""
    check_size(raw)
    text = _decode(raw)
    header = text.splitlines()[0]
    delimiter = max(DELIMITERS, key=header.count)
    reader = csv.DictReader(text.split("\n"), delimiter=delimiter, restkey=EXTRA, strict=True)
    try:
        columns = [column.strip().lower() for column in reader.fieldnames or ()]
        _check_columns(columns)
        reader.fieldnames = columns
        return read_rows(_lines(reader))
    except csv.Error as exc:
        raise BadList(f"the list is no CSV from line {reader.line_num} on: {exc}") from exc


def _lines(reader: "csv.DictReader[str]") -> Iterator[tuple[str, dict[str, str]]]:
    for row in reader:
        cells = {name: _cell(value) for name, value in row.items() if value is not None}
        if any(cells.values()):
            yield f"line {reader.line_num}", cells


def _cell(value: object) -> str:
    return value.strip() if isinstance(value, str) else str(value)


def _check_columns(columns: list[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise BadList(f"the first line has a column {column!r}; there are {', '.join(COLUMNS)}")
        if columns.count(column) > 1:
            raise BadList(f"the first line has the column {column!r} more than once")
    if missing := [column for column in NEEDED if column not in columns]:
        raise BadList(f"the first line has no column {missing[0]!r}; needed are {', '.join(NEEDED)}")


def _decode(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadList("the list is in UTF-16; save it as CSV in UTF-8")
    if b"\x00" in raw:
        raise BadList("the list holds zero bytes, so it is no text; save the sheet as CSV")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.removeprefix(b"\xef\xbb\xbf").decode("cp1252", errors="replace")
