"""A sheet as CSV, as spreadsheets write it: UTF-8, UTF-16 or Windows' Latin, commas, semicolons or tabs."""

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

from services.inventory.imports.domain import MOST_COLUMNS, BadFile, Fault, RawRow

DELIMITERS = (",", ";", "\t")
PIECE = 256 * 1024
MAX_LINE = 1024 * 1024
MARK = b"\xef\xbb\xbf"
WIDE = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
EXTRA = "row"


@dataclass(frozen=True)
class Sheet:
    """What a file holds: the names of its columns, its rows, and about how many they are, where that is known."""

    names: Sequence[str]
    rows: Iterator[RawRow]
    expected: int | None


def read_sheet(file: IO[bytes]) -> Sheet:
    """Reads a CSV file with a header line, a piece at a time. Raises BadFile, also while its rows are read."""
    encoding, lines = _encoding_of(file)
    file.seek(len(MARK) if encoding == "cp1252" and file.read(len(MARK)) == MARK else 0)
    text = _lines(codecs.iterdecode(iter(partial(file.read, PIECE), b""), encoding))
    first = _first(text)
    if not first.strip():
        raise BadFile("the first line is empty; it must name the columns")
    delimiter = max(DELIMITERS, key=first.count)
    names = _names(first, delimiter)
    if len(names) > MOST_COLUMNS:
        raise BadFile(f"the first line has {len(names)} columns, more than {MOST_COLUMNS}")
    while names and not names[-1]:
        names.pop()
    return Sheet(names, _rows(text, delimiter, len(names)), max(0, lines - 1))


def _first(lines: Iterator[str]) -> str:
    try:
        return next(lines, "")
    except UnicodeError as exc:
        raise BadFile(f"the file is no text: {exc}") from exc


def _names(first: str, delimiter: str) -> list[str]:
    try:
        return [name.strip().lower() for name in next(csv.reader([first], delimiter=delimiter, strict=True))]
    except csv.Error as exc:
        raise BadFile(f"the first line is no CSV: {exc}") from exc


def _rows(lines: Iterator[str], delimiter: str, width: int) -> Iterator[RawRow]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        place = 2
        for cells in reader:
            while len(cells) > width and not cells[-1].strip():
                cells.pop()
            if any(cell.strip() for cell in cells):
                yield _row(f"line {place}", cells, width)
            place = reader.line_num + 2
    except csv.Error as exc:
        raise BadFile(f"the file is no CSV from line {reader.line_num + 1} on: {exc}") from exc
    except UnicodeError as exc:
        raise BadFile(f"the file is no text from line {reader.line_num + 1} on: {exc}") from exc


def _row(place: str, cells: list[str], width: int) -> RawRow:
    if len(cells) == width:
        return RawRow(place, cells)
    rule = f"has {len(cells)} cells, and the first line has {width}"
    return RawRow(place, [""] * width, [Fault(field=EXTRA, rule=rule, example="one cell for each column")])


def _lines(pieces: Iterator[str]) -> Iterator[str]:
    """Lines with their ends, as a csv.reader wants them; ``splitlines`` would split at what is none in CSV."""
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield line + "\n"
        if len(rest) > MAX_LINE:
            raise BadFile(f"the file has a line of more than {MAX_LINE} characters, so it is no CSV")
    if rest:
        yield rest


def _encoding_of(file: IO[bytes]) -> tuple[str, int]:
    """How the file is written, and its number of lines: what is no UTF-8 throughout is Windows' Latin."""
    file.seek(0)
    head = file.read(4)
    if not head.strip():
        raise BadFile("the file is empty")
    for mark, encoding in WIDE.items():
        if head.startswith(mark):
            return encoding, 0
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    found, lines, last = "utf-8-sig", 0, b"\n"
    while piece := file.read(PIECE):
        if b"\x00" in piece:
            raise BadFile("the file holds zero bytes, so it is no text; save the sheet as CSV")
        lines += piece.count(b"\n")
        last = piece
        if found == "utf-8-sig":
            try:
                decoder.decode(piece)
            except UnicodeDecodeError:
                found = "cp1252"
    file.seek(0)
    return found, lines + (not last.endswith(b"\n"))
