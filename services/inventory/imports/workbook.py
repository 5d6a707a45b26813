"""A sheet as Excel keeps it: the first one of a workbook, read row by row. Blocks: for a thread."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import IO, Any

from openpyxl import load_workbook

from services.inventory.documents.archives import office_type
from services.inventory.documents.markup import NotTaken
from services.inventory.exports.cells import unescaped
from services.inventory.imports.domain import MOST_COLUMNS, BadFile, Fault, RawRow
from services.inventory.imports.sheet import EXTRA, Sheet

FORMULA, ERROR = "f", "e"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
EXACT = 10**15
"""Above, Excel has rounded a number."""


def read_workbook(file: IO[bytes], size: int) -> Sheet:
    """Reads the first sheet of a workbook. Raises BadFile, also while its rows are read."""
    file.seek(0)
    if file.read(len(OLD_EXCEL)) == OLD_EXCEL:
        raise BadFile("the file is a workbook of an old Excel (xls); save it as xlsx")
    try:
        if office_type(file, size) != "xlsx":
            raise BadFile("the file is no workbook of Excel (xlsx)")
        file.seek(0)
        book = load_workbook(file, read_only=True, keep_links=False)
        sheet: Any = book.worksheets[0]
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_col=MOST_COLUMNS + 1)
        header = [_header(cell) for cell in next(rows, ())]
    except NotTaken as exc:
        raise BadFile(f"the file {exc}") from exc
    except BadFile:
        raise
    # The library raises whatever its parts do, and a workbook may be broken in any of them.
    except Exception as exc:
        raise BadFile(f"the file is no workbook that opens: {exc}"[:300]) from exc
    while header and not header[-1]:
        header.pop()
    if not header:
        raise BadFile("the first row is empty; it must name the columns")
    if len(header) > MOST_COLUMNS:
        raise BadFile(f"the first row has more than {MOST_COLUMNS} columns")
    return Sheet(header, _rows(rows, header), None)


def _header(cell: Any) -> str:
    return "" if cell.value is None else str(cell.value).strip().lower()


def _rows(rows: Iterator[Sequence[Any]], names: Sequence[str]) -> Iterator[RawRow]:
    number = 1
    try:
        for number, row in enumerate(rows, start=2):
            if any(cell.value is not None for cell in row):
                yield _row(number, row, names)
    except Exception as exc:
        raise BadFile(f"the workbook can't be read from row {number + 1} on: {exc}"[:300]) from exc


def _row(number: int, row: Sequence[Any], names: Sequence[str]) -> RawRow:
    cells, faults = [""] * len(names), []
    for place, cell in enumerate(row):
        if cell.value is None:
            continue
        name = names[place] if place < len(names) else EXTRA
        rule = _rule(cell) if place < len(names) else f"has a cell {cell.coordinate} below no column"
        if rule:
            faults.append(Fault(field=name, rule=rule, example="a text or a number"))
        else:
            cells[place] = _text(cell.value)
    return RawRow(f"row {number}", cells, faults)


def _rule(cell: Any) -> str | None:
    if cell.data_type == FORMULA:
        return f"must be no formula, as cell {cell.coordinate} is"
    if cell.data_type == ERROR:
        return f"must be no error, as cell {cell.coordinate} is"
    if isinstance(cell.value, int | float) and not isinstance(cell.value, bool) and abs(cell.value) >= EXACT:
        return f"has lost digits in cell {cell.coordinate}: let the column be text"
    return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return unescaped(str(value))
