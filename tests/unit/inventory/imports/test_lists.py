"""Sheets as people have them: what is read, and what is said of what can't be."""

import io
from contextlib import suppress
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.imports.domain import BadFile, RawRow, check_columns
from services.inventory.imports.sheet import MAX_LINE, read_sheet

HEADER = "name;ae_title;host;port;role"
CT = ["CT Übersicht", "CT1", "ct1.north.example.org", "104", "modality"]
CT_LINE = ";".join(CT)


def rows(raw: bytes) -> list[RawRow]:
    """The rows of a sheet."""
    return list(read_sheet(io.BytesIO(raw)).rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sheet_is_read_as_any_spreadsheet_writes_it(encoding: str, delimiter: str, end: str) -> None:
    """The encoding, the delimiter and the ends of lines are recognized."""
    raw = end.join([HEADER, CT_LINE, ""]).replace(";", delimiter).encode(encoding)
    sheet = read_sheet(io.BytesIO(raw))
    assert sheet.names == HEADER.split(";")
    assert list(sheet.rows) == [RawRow("line 2", CT)]


def test_a_latin_sheet_that_claims_to_be_utf_8_is_read_too() -> None:
    """Some programs put a byte order mark before Windows' Latin."""
    assert rows(b"\xef\xbb\xbf" + f"{HEADER}\n{CT_LINE}".encode("cp1252")) == [RawRow("line 2", CT)]


def test_rows_are_found_by_their_lines() -> None:
    """Cells that run over lines, and empty lines, count."""
    told = rows(b'name;port\n"one\ntwo";1\n\n;\nthree;3\n')
    assert [(row.place, list(row.cells)) for row in told] == [
        ("line 2", ["one\ntwo", "1"]),
        ("line 6", ["three", "3"]),
    ]


@pytest.mark.parametrize(("line", "cells"), [("a;b;c", 3), ("a", 1)])
def test_a_ragged_row_is_a_fault_of_that_row(line: str, cells: int) -> None:
    """A row that is shifted would put a serial number where a model stands. Empty cells at the end don't matter."""
    ragged, whole = rows(f"name;port\n{line}\nb;2;;\n".encode())
    assert [fault.rule for fault in ragged.faults] == [f"has {cells} cells, and the first line has 2"]
    assert (whole.cells, list(whole.faults)) == (["b", "2"], [])


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n\n\n\n\n", "is empty"),
        (b"name;\x00port\n", "zero bytes"),
        (b"PK\x03\x04\x00\x00", "zero bytes"),
        (b'name,port\n"CT', "is no CSV from line"),
        (b'name,port\n"CT" x,1\n', "is no CSV from line"),
        (b"name\n\x81\n", "is no text"),
        (b"name\n" + b"x" * (MAX_LINE + 300_000), "a line of more than"),
        (b"name\n" + b"x" * 200_000, "field larger"),
        (b";".join([b"a"] * 400), "400 columns"),
    ],
)
def test_what_is_no_sheet_is_refused_as_a_whole(raw: bytes, said: str) -> None:
    """With what it should be."""
    with pytest.raises(BadFile, match=said):
        rows(raw)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["name", "name", "ae_title", "host", "port", "system"], "more than once"),
        (["name", "colour"], "a column 'colour'; nodes have id, site, system"),
        (["name", "ae_title", "host", "port"], "no column 'system'"),
        ([""], "a column ''"),
    ],
)
def test_a_first_line_must_name_the_columns(names: list[str], said: str) -> None:
    """Those that there are, each once, and those without which nothing can be made."""
    with pytest.raises(BadFile, match=said):
        check_columns("nodes", names, {})


def test_a_sheet_with_ids_needs_no_other_column() -> None:
    """Nor does one whose missing column was told beside it."""
    assert [column.name for column in check_columns("nodes", ["id", "port"], {})] == ["id", "port"]
    assert check_columns("nodes", ["name", "ae_title", "host", "port"], {"system": "North archive"})


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"name;ae_title;host;port\n" + tail))
def test_any_bytes_are_rows_or_no_sheet(raw: bytes) -> None:
    """Nothing else comes out of one."""
    file: IO[bytes] = io.BytesIO(raw)
    with suppress(BadFile):
        for row in read_sheet(file).rows:
            assert row.place.startswith("line ")
