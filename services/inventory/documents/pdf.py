"""PDF (ISO 32000-2): whatever a reader would carry out is found by its names, also where they are packed or spelled by
numbers. Blocks: for a thread."""

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


def check_pdf(file: IO[bytes], size: int) -> None:
    """Raises NotTaken for a PDF that holds scripts, programs or files, or that hides its objects from who looks."""
    for _, name in _all(ACTIVE, file, size):
        raise _active(name)
    is_encrypted = any(True for _ in _all(ENCRYPTED, file, size))
    budget = MAX_UNPACKED
    for number, (place, _) in enumerate(_all(PACKED, file, size)):
        if number == MOST_PACKED:
            raise NotTaken(f"must have at most {MOST_PACKED} object streams")
        if is_encrypted:
            raise NotTaken("must be a PDF without a password: its objects are encrypted, and nobody can look at them")
        for piece in _unpacked(file, place):
            budget -= len(piece)
            if budget < 0:
                raise NotTaken(f"must not unpack to more than {MAX_UNPACKED} bytes")


def _all(pattern: re.Pattern[bytes], file: IO[bytes], size: int) -> Iterator[tuple[int, bytes]]:
    """Where names stand, and as what. A piece is looked at at a time: other threads wait for a search to end."""
    for start in range(0, size, PIECE):
        file.seek(start)
        for found in pattern.finditer(file.read(PIECE + LONGEST_NAME)):
            if found.start() < PIECE:
                yield start + found.start(), found[0]


def _active(name: bytes) -> NotTaken:
    shown = re.sub(rb"#(..)", lambda digits: bytes([int(digits[1], 16)]), name).decode()
    return NotTaken(f"must hold no scripts, no programs, no media that run and no files; it has {shown}")


def _unpacked(file: IO[bytes], place: int) -> Iterator[bytes]:
    """The objects of an object stream (§7.5.7), looked at piece by piece; none where it is not packed."""
    begin = max(0, place - A_DICTIONARY)
    file.seek(begin)
    around = file.read(2 * A_DICTIONARY)
    data = DATA.search(around, place - begin)
    if data is None:
        return
    told = around[max(0, around.rfind(b"obj", 0, place - begin)) : data.start()]
    if not FILTERED.search(told):
        return
    if PREDICTED.search(told):
        raise NotTaken("must be a PDF whose objects are packed by deflate alone")
    before = b""
    for piece in _inflated(file, begin + data.end()):
        if found := ACTIVE.search(before + piece):
            raise _active(found[0])
        before = (before + piece)[-LONGEST_NAME:]
        yield piece
    if found := ACTIVE.search(before + b" "):
        raise _active(found[0])


def _inflated(file: IO[bytes], place: int) -> Iterator[bytes]:
    file.seek(place)
    unpacker = zlib.decompressobj()
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or file.read(PIECE)):
        try:
            yield unpacker.decompress(packed, PIECE)
        except zlib.error as exc:
            raise NotTaken("must be a PDF whose objects are packed by deflate alone") from exc
