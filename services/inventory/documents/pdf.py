"""PDF (ISO 32000-2): whatever a reader would carry out is found by its names, also where they are packed or spelled by
numbers. Blocks: for a thread."""

import mmap
import re
import zlib
from collections.abc import Iterator
from typing import IO

from services.inventory.documents.markup import NotTaken

MAX_UNPACKED = 128 * 1024 * 1024
PIECE = 256 * 1024
A_DICTIONARY = 4096
MOST_PACKED = 20_000
LONGEST_NAME = 64
_END = rb"(?=[\x00\t\n\f\r ()<>\[\]{}/%])"


def _spelled(name: str) -> bytes:
    """A pattern of a name whose characters may stand as ``#`` and two digits (§7.3.5)."""
    return b"".join(b"(?:%c|#(?i:%02x))" % (ord(char), ord(char)) for char in name)


def _named(*names: str) -> re.Pattern[bytes]:
    return re.compile(b"/(?:" + b"|".join(map(_spelled, names)) + b")" + _END)


ACTIVE = _named("JavaScript", "Launch", "Rendition", "RichMedia", "EmbeddedFile", "EmbeddedFiles")
"""Scripts (§12.6.4.17), programs (§12.6.4.6), media that run (§12.6.4.14, §13.7) and files inside (§7.11.4)."""

PACKED = _named("ObjStm")
ENCRYPTED = _named("Encrypt")
FILTERED = _named("Filter")
PREDICTED = _named("Predictor")
DATA = re.compile(rb"stream\r?\n")


def check_pdf(file: IO[bytes]) -> None:
    """Raises NotTaken for a PDF that holds scripts, programs or files, or that hides its objects from who looks."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _refuse_active(content)
        is_encrypted = next(_all(ENCRYPTED, content), None) is not None
        budget = MAX_UNPACKED
        for number, found in enumerate(_all(PACKED, content)):
            if number == MOST_PACKED:
                raise NotTaken(f"must have at most {MOST_PACKED} object streams")
            if is_encrypted:
                raise NotTaken(
                    "must be a PDF without a password: its objects are encrypted, and nobody can look at them"
                )
            for piece in _unpacked(content, found):
                budget -= len(piece)
                if budget < 0:
                    raise NotTaken(f"must not unpack to more than {MAX_UNPACKED} bytes")


def _all(pattern: re.Pattern[bytes], content: mmap.mmap | bytes) -> Iterator[re.Match[bytes]]:
    """All that fits a name's pattern, looked for in a piece at a time: other threads wait for a search to end."""
    for start in range(0, len(content), PIECE):
        for found in pattern.finditer(content, start, start + PIECE + LONGEST_NAME):
            if found.start() < start + PIECE:
                yield found


def _refuse_active(content: mmap.mmap | bytes) -> None:
    if found := next(_all(ACTIVE, content), None):
        raise NotTaken(f"must hold no scripts, no programs, no media that run and no files; it has {_shown(found[0])}")


def _unpacked(content: mmap.mmap, found: re.Match[bytes]) -> Iterator[bytes]:
    """The objects of an object stream (§7.5.7), looked at piece by piece; none where it is not packed."""
    data = DATA.search(content, found.end(), found.end() + A_DICTIONARY)
    if data is None:
        return
    begin = max(content.rfind(b"obj", 0, found.start()), found.start() - A_DICTIONARY, 0)
    told = content[begin : data.start()]
    if not FILTERED.search(told):
        return
    if PREDICTED.search(told):
        raise NotTaken("must be a PDF whose objects are packed by deflate alone")
    unpacker, place, before = zlib.decompressobj(), data.end(), b""
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or content[place : place + PIECE]):
        place += 0 if unpacker.unconsumed_tail else len(packed)
        try:
            piece = unpacker.decompress(packed, PIECE)
        except zlib.error as exc:
            raise NotTaken("must be a PDF whose objects are packed by deflate alone") from exc
        _refuse_active(before + piece)
        before = (before + piece)[-LONGEST_NAME:]
        yield piece
    _refuse_active(before + b" ")


def _shown(name: bytes) -> str:
    return re.sub(rb"#(..)", lambda digits: bytes([int(digits[1], 16)]), name).decode()
