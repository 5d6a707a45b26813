"""Opens a file that is to be taken in: one sheet, or a ZIP with a sheet for each kind. Blocks: for a thread."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO
from zipfile import BadZipFile, ZipFile

from services.inventory.exports.cells import Column
from services.inventory.exports.columns import COLUMNS, ONLY_TOLD
from services.inventory.imports.domain import BATCH, BadFile, ImportFormat, ImportKind, RawRow, check_columns
from services.inventory.imports.sheet import Sheet, read_sheet
from services.inventory.imports.workbook import read_workbook

MAX_UNPACKED = 512 * 1024 * 1024
ENCRYPTED = 0x1


@dataclass(frozen=True)
class Part:
    """The rows of one kind, some at a time."""

    kind: str
    columns: Sequence[Column]
    expected: int | None
    _rows: Iterator[RawRow]

    def next_batch(self) -> list[RawRow]:
        """The next rows; none at the end. Raises BadFile."""
        return list(islice(self._rows, BATCH))


def open_parts(
    file: IO[bytes], size: int, kind: ImportKind, format: ImportFormat, usual: Mapping[str, str]
) -> Iterator[Part]:
    """The parts of a file, each to be read before the next one is asked for. Raises BadFile."""
    if (kind == "all") != (format == "zip"):
        raise BadFile("the kind all comes as a zip, with one CSV for each kind, and nothing else does")
    if format == "zip":
        yield from _packed(file, usual)
    else:
        yield _part(kind, read_sheet(file) if format == "csv" else read_workbook(file, size), usual)


def _part(kind: str, sheet: Sheet, usual: Mapping[str, str]) -> Part:
    fitting = {name: value for name, value in usual.items() if any(c.name == name for c in COLUMNS[kind])}
    return Part(kind, check_columns(kind, sheet.names, fitting), sheet.expected, sheet.rows)


def _packed(file: IO[bytes], usual: Mapping[str, str]) -> Iterator[Part]:
    try:
        with ZipFile(file) as archive:
            _check_entries(archive)
            for kind in COLUMNS:
                if f"{kind}.csv" in archive.namelist():
                    with archive.open(f"{kind}.csv") as entry:
                        yield _part(kind, read_sheet(entry), usual)
    except BadFile as exc:
        raise BadFile(f"in the archive: {exc}") from exc
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as exc:
        raise BadFile(f"the file is no archive that unpacks: {exc}") from exc


def _check_entries(archive: ZipFile) -> None:
    """What an entry says of its length is the most that is read of it."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    known = {f"{kind}.csv" for kind in (*COLUMNS, *ONLY_TOLD)}
    if len(names) > len(known) or set(names) - known or len(set(names)) < len(names):
        raise BadFile(f"each entry must be one of {', '.join(sorted(known))}")
    if any(entry.flag_bits & ENCRYPTED for entry in entries):
        raise BadFile("its entries must have no password")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise BadFile(f"it must unpack to at most {MAX_UNPACKED} bytes")
