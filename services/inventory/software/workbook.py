"""The one place that opens workbooks: the texts of their cells, and where formulas stand.

What is opened here has passed the checks of documents: no macros, no document types, no bomb. Blocks: for a thread.
"""

from collections.abc import Iterator
from typing import IO, Any
from zipfile import ZipFile

from openpyxl import load_workbook

from services.inventory.documents.markup import NotTaken
from services.inventory.software.questionnaire import A_FORMULA, MAX_ROWS, MAX_TEXT, Row

MAX_UNPACKED = 32 * 1024 * 1024
MAX_SHEETS = 30
MAX_COLUMNS = 40
FORMULA = "f"


def read_rows(file: IO[bytes]) -> list[list[Row]]:
    """The rows of each sheet. Raises NotTaken for what no form is."""
    file.seek(0)
    try:
        with ZipFile(file) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED:
                raise NotTaken(f"must unpack to at most {MAX_UNPACKED} bytes to be read as a form")
        file.seek(0)
        book = load_workbook(file, read_only=True, keep_links=False)
        try:
            if len(book.worksheets) > MAX_SHEETS:
                raise NotTaken(f"must have at most {MAX_SHEETS} sheets")
            return [list(_rows(sheet)) for sheet in book.worksheets]
        finally:
            book.close()
    except NotTaken:
        raise
    # The library raises whatever its parts do, and a workbook may be broken in any of them.
    except Exception as exc:
        raise NotTaken(f"must be a workbook that opens: {exc}"[:300]) from exc


def _rows(sheet: Any) -> Iterator[Row]:
    sheet.reset_dimensions()
    for row in sheet.iter_rows(max_row=MAX_ROWS, max_col=MAX_COLUMNS):
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    if cell.value is None:
        return ""
    return A_FORMULA if cell.data_type == FORMULA else str(cell.value)[:MAX_TEXT].strip()
