"""What a file is, told by its bytes and never by its name: the strict list of media types that are taken.

Works on a file that is there as a whole and reads it in pieces. Blocks: it belongs on a thread.
"""

import mmap
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import IO

import msgspec

from services.inventory.documents.archives import office_type
from services.inventory.documents.markup import NotTaken, walk_xml
from services.inventory.documents.names import SUFFIXES, suffix_of
from services.inventory.documents.pdf import check_pdf
from shared.errors import Malformed

FIELD = "file"
PIECE = 256 * 1024
TEXT = frozenset({"text/plain", "text/csv", "text/markdown"})
ACTIVE_MARKUP = (b"<script", b"<html", b"<svg", b"<iframe", b"<object", b"<!doctype html", b"<?php")
LONGEST_MARK = max(map(len, ACTIVE_MARKUP))
WEB_ROOTS = frozenset({"html", "svg"})
WHITE = frozenset(b"\t\n\r\f")
JPEG, PNG, PDF, ZIP = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", b"%PDF-", b"PK\x03\x04"
TAIL = 1024


def media_type_of(file: IO[bytes], size: int, name: str) -> str:
    """The media type that both the content and the name's ending tell. Raises Malformed where they are at odds, or
    where the content is nothing that is taken."""
    promised = SUFFIXES[suffix_of(name)]
    try:
        found = _binary_type(file, size) or _text_type(file, promised)
    except NotTaken as exc:
        raise Malformed(FIELD, str(exc), "a PDF, an image, a text, a workbook") from exc
    if found != promised:
        raise Malformed(FIELD, f"is {found} by its content, and its name ends in .{suffix_of(name)}", "the true ending")
    return found


def _binary_type(file: IO[bytes], size: int) -> str | None:
    """The type of a file that begins as no text does; None for what may be text."""
    if size == 0:
        raise NotTaken("is empty")
    file.seek(0)
    head = file.read(16)
    if head.startswith(ZIP):
        return SUFFIXES[office_type(file, size)]
    if head.startswith(PDF):
        file.seek(max(0, size - TAIL))
        if b"%%EOF" not in file.read(TAIL):
            raise NotTaken("is a PDF without its end")
        check_pdf(file, size)
        return SUFFIXES["pdf"]
    if head == PNG:
        return SUFFIXES["png"]
    return SUFFIXES["jpg"] if head.startswith(JPEG) else None


def _text_type(file: IO[bytes], promised: str) -> str:
    if promised == SUFFIXES["json"]:
        check_json(file)
    elif promised == SUFFIXES["xml"]:
        _check_xml(file)
    elif promised in TEXT:
        _check_text(file)
    else:
        raise NotTaken("has a content that is not taken: no PDF, PNG, JPEG, text, JSON, XML, xlsx or docx")
    return promised


def _check_text(file: IO[bytes]) -> None:
    decoder = getincrementaldecoder("utf-8")()
    before = b""
    try:
        for piece in pieces(file):
            decoder.decode(piece)
            if any(byte < 32 and byte not in WHITE for byte in set(piece)):
                raise NotTaken("must be text, and holds control characters")
            seen = (before + piece).lower()
            if any(mark in seen for mark in ACTIVE_MARKUP):
                raise NotTaken("must be text, and holds what a browser would carry out")
            before = piece[-LONGEST_MARK:]
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as exc:
        raise NotTaken("must be text in UTF-8") from exc


def check_json(file: IO[bytes]) -> None:
    """Raises NotTaken unless the file is one JSON value in UTF-8. Builds nothing of it."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        try:
            msgspec.json.decode(content, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise NotTaken("must be JSON in UTF-8 without endless nesting") from exc


def _check_xml(file: IO[bytes]) -> None:
    def entered(path: list[str], _: dict[str, str]) -> None:
        if (len(path) == 1 and path[0] in WEB_ROOTS) or path[-1] == "script":
            raise NotTaken("must not be HTML or SVG, nor hold scripts")

    walk_xml(pieces(file), entered)


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its beginning."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece
