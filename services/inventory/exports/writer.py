"""Writes rows to a file as CSV, NDJSON or a workbook; what was written is not held. Blocks: for a thread."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import IO, Any, Literal, Protocol

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from services.inventory.exports.cells import Column, escaped, write_cell

Format = Literal["csv", "ndjson", "xlsx"]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
Values = Sequence[Any]


class Sheet(Protocol):
    """Takes rows, each with a value for each column."""

    def add(self, rows: Iterable[Values]) -> None:
        """Writes rows."""

    def close(self) -> None:
        """Writes what is left; the file itself stays open."""


def open_sheet(format: Format, file: IO[bytes], columns: Sequence[Column]) -> Sheet:
    """A sheet with these columns, which writes to ``file``."""
    kinds: dict[str, type[CsvSheet] | type[NdjsonSheet] | type[ExcelSheet]]
    kinds = {"csv": CsvSheet, "ndjson": NdjsonSheet, "xlsx": ExcelSheet}
    return kinds[format](file, columns)


class CsvSheet:
    """UTF-8 with the mark that Excel looks for, a comma between cells (RFC 4180)."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._columns = columns
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
        self._writer = csv.writer(self._text)
        self._writer.writerow([column.name for column in columns])

    def add(self, rows: Iterable[Values]) -> None:
        """Writes rows."""
        kinds = [column.kind for column in self._columns]
        self._writer.writerows(
            [write_cell(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in rows
        )

    def close(self) -> None:
        """Writes what is left."""
        self._text.flush()
        self._text.detach()


class NdjsonSheet:
    """One JSON object a line; values as the API gives them."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._file, self._names = file, [column.name for column in columns]

    def add(self, rows: Iterable[Values]) -> None:
        """Writes rows."""
        for row in rows:
            told = dict(zip(self._names, row, strict=True))
            self._file.write(json.dumps(told, ensure_ascii=False, default=_plain).encode() + b"\n")

    def close(self) -> None:
        """Writes what is left."""
        self._file.flush()


class ExcelSheet:
    """A workbook of one sheet, in which every cell is a text: nothing is turned into a date or a rounded number."""

    def __init__(self, file: IO[bytes], columns: Sequence[Column]) -> None:
        self._file, self._columns = file, columns
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("inventory")
        self._sheet.append([column.name for column in columns])

    def add(self, rows: Iterable[Values]) -> None:
        """Writes rows."""
        for row in rows:
            self._sheet.append([self._cell(column, value) for column, value in zip(self._columns, row, strict=True)])

    def close(self) -> None:
        """Puts the workbook together."""
        self._book.save(self._file)

    def _cell(self, column: Column, value: Any) -> Any:
        if not (text := write_cell(column.kind, value)):
            return None
        cell = WriteOnlyCell(self._sheet, value=escaped(text))
        # What the library takes for a formula or an error by its looks is a text here.
        cell.data_type = "s"
        return cell


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value.isoformat())
