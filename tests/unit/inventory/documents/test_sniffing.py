"""What a file is by its bytes, and the archives that hide what they unpack to."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.documents.archives import MAX_ENTRIES
from services.inventory.documents.names import SUFFIXES
from services.inventory.documents.sniffing import PIECE, media_type_of
from shared.errors import Malformed
from tests.integration.inventory.documents.files import JPEG, PDF, PNG, TYPES, workbook, zipped

DOCX: dict[str, bytes | str] = {"[Content_Types].xml": TYPES.format(""), "word/document.xml": "<document/>"}
MACRO_TYPE = "application/vnd.ms-excel.sheet.macroEnabled.main+xml"
OVERRIDE = f'<Override PartName="/xl/workbook.xml" ContentType="{MACRO_TYPE}"/>'


@contextmanager
def filed(content: bytes) -> Iterator[IO[bytes]]:
    """A file with this content."""
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


def told(content: bytes, name: str) -> str:
    """The media type that is found."""
    with filed(content) as file:
        return media_type_of(file, len(content), name)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PDF, "a.pdf"),
        (PNG, "a.png"),
        (JPEG, "a.JPEG"),
        ("ä" * PIECE, "a.txt"),
        (b"a,b\r\n", "a.csv"),
        (b"{}", "a.json"),
        ("<?xml version='1.0'?><a>ä</a>", "a.xml"),
        (workbook(), "a.xlsx"),
        (zipped(DOCX), "a.docx"),
    ],
)
def test_type_is_told_by_content_and_name_together(content: bytes | str, name: str) -> None:
    """A letter that lies across two pieces too."""
    raw = content.encode() if isinstance(content, str) else content
    assert told(raw, name) == SUFFIXES[name.rpartition(".")[2].lower()]


HIDDEN = b"x" * (PIECE - 3) + b"<scRipt>alert(1)</script>"


@pytest.mark.parametrize(
    ("content", "name", "rule"),
    [
        (b"", "a.txt", "empty"),
        (PDF, "a.png", "application/pdf by its content"),
        (PDF[:-6], "a.pdf", "without its end"),
        (b"hello", "a.pdf", "not taken"),
        (b"MZ\x00", "a.txt", "control characters"),
        (b"\xff\xfea\x00", "a.txt", "UTF-8"),
        (b"\xe4", "a.txt", "UTF-8"),
        (b"a\xc3", "a.txt", "UTF-8"),
        (HIDDEN, "a.md", "browser"),
        (b"{} {}", "a.json", "JSON"),
        (b"[" * 100_000, "a.json", "nesting"),
        (b"<a><b></a>", "a.xml", "well-formed"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "a.xml", "HTML"),
        (b"<a xmlns:s='http://www.w3.org/2000/svg'><s:script/></a>", "a.xml", "scripts"),
        (b"<?xml-stylesheet href='x'?><a/>", "a.xml", "style sheet"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "a.xml", "document type"),
        (zipped({"a.txt": "a"}), "a.xlsx", "no archive but"),
        (zipped(DOCX | {"xl/workbook.xml": "<workbook/>"}), "a.docx", "no archive but"),
        (workbook(xl__vbaProject_bin="x"), "a.xlsx", "macros"),
        (workbook(xl__renamed_bin=b"\xd0\xcf\x11\xe0" + bytes(20)), "a.xlsx", "macros"),
        (zipped({"[Content_Types].xml": TYPES.format(OVERRIDE), "xl/workbook.xml": "<a/>"}), "a.xlsx", "macros"),
        (workbook(xl__sheet_xml="<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "a.xlsx", "document type"),
        (workbook(xl__inner_bin=zipped({"a": "b"})), "a.xlsx", "archive within"),
        (zipped(DOCX | {"../a": "b"}), "a.docx", "stay within"),
        (zipped(DOCX | {str(number): "" for number in range(MAX_ENTRIES)}), "a.docx", "entries"),
        (workbook(xl__zeros_bin=bytes(30_000_000)), "a.xlsx", "times its size"),
        (PDF + workbook(), "a.xlsx", "application/pdf"),
        (workbook() + b"tail", "a.xlsx", "ends with its directory"),
        (workbook()[:-1], "a.xlsx", "ends with its directory"),
        (b"PK\x03\x04", "a.xlsx", "whole archive"),
    ],
)
def test_what_is_refused(content: bytes, name: str, rule: str) -> None:
    """Each with its rule, about the field ``file``."""
    with pytest.raises(Malformed) as refused:
        told(content, name)
    assert rule in refused.value.detail
    assert refused.value.detail.startswith("file: ")


def bomb_of_overlapping_entries(copies: int) -> bytes:
    """An archive whose directory names the same compressed bytes again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packer.compress(bytes(1_000_000)) + packer.flush()
    crc = zlib.crc32(bytes(1_000_000))
    sizes = struct.pack("<3L", crc, len(kernel), 1_000_000)
    local = b"PK\x03\x04" + struct.pack("<5H", 20, 0, 8, 0, 33) + sizes + struct.pack("<2H", 1, 0) + b"0" + kernel
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<6H", 20, 20, 0, 8, 0, 33) + sizes
        + struct.pack("<5H2L", len(str(n)), 0, 0, 0, 0, 0, 0) + str(n).encode()
        for n in range(copies)
    )  # fmt: skip
    end = struct.pack("<4H2LH", 0, 0, copies, copies, len(directory), len(local), 0)
    return local + directory + b"PK\x05\x06" + end


def test_entries_that_overlap_are_refused() -> None:
    """A thousand files that are the same bytes."""
    with pytest.raises(Malformed, match="overlap"):
        told(bomb_of_overlapping_entries(1000), "a.xlsx")


@given(st.binary(max_size=300), st.sampled_from(["a.pdf", "a.txt", "a.json", "a.xml", "a.xlsx"]))
def test_any_bytes_are_told_or_refused(content: bytes, name: str) -> None:
    """By no other error."""
    try:
        assert told(content, name) == SUFFIXES[name.rpartition(".")[2]]
    except Malformed:
        return


@given(st.binary(min_size=1, max_size=20), st.integers(min_value=0))
def test_spoilt_archives_are_told_or_refused(spoilt: bytes, at: int) -> None:
    """Bytes that were changed anywhere in one."""
    raw = workbook(xl__sheet_xml="<sheet>" + "<row/>" * 100 + "</sheet>")
    at %= len(raw)
    try:
        told(raw[:at] + spoilt + raw[at + len(spoilt) :], "a.xlsx")
    except Malformed:
        return
