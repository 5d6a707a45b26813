"""Workbooks and texts of office programs, which are ZIP archives: unpacked once, into nothing, before they are taken.

What the archive says of itself is not believed: every entry is decompressed and counted. Blocks: for a thread.
"""

import struct
import zlib
from collections.abc import Collection
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from services.inventory.documents.markup import NotTaken, refuse_doctype, walk_xml

MAX_ENTRIES = 2000
MAX_DIRECTORY = 1024 * 1024
MAX_UNPACKED = 128 * 1024 * 1024
MAX_RATIO = 150
FREE_OF_RATIO = 1024 * 1024
PIECE = 256 * 1024
END = struct.Struct("<4s4H2LH")
LOCATOR_BYTES = 20
ENCRYPTED = 0x1
MAIN_PARTS = {"xl/workbook.xml": "xlsx", "word/document.xml": "docx"}
TYPES = "[Content_Types].xml"
MACROS = ("vbaproject", "vbadata", "macrosheets/", "dialogsheets/", "activex/", "oleobject", "attachedtoolbars")
ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"MSCF", b"\x28\xb5\x2f\xfd")
PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xd0\xcf\x11\xe0", b"#!")


def office_type(file: IO[bytes], size: int) -> str:
    """``xlsx`` or ``docx``. Raises NotTaken for any other archive, one that hides what it unpacks to, and macros."""
    _check_end(file, size)
    try:
        with ZipFile(file) as archive:
            entries = archive.infolist()
            _check_entries(entries, size)
            budget = MAX_UNPACKED
            for entry in entries:
                budget -= _unpack(archive, entry, budget)
            return _main_part({entry.filename for entry in entries})
    except (BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, UnicodeError, OSError) as exc:
        raise NotTaken(f"must be an archive that unpacks: {exc}") from exc


def _check_end(file: IO[bytes], size: int) -> None:
    """The directory is read as a whole into memory, so its size is looked at first, where readers look for it."""
    if size < END.size:
        raise NotTaken("must be a whole archive")
    file.seek(size - END.size)
    signature, disk, start_disk, here, entries, length, offset, comment = END.unpack(file.read(END.size))
    file.seek(max(0, size - END.size - LOCATOR_BYTES))
    is_large = file.read(4) == b"PK\x06\x07"
    if signature != b"PK\x05\x06" or comment or disk or start_disk or here != entries or is_large:
        raise NotTaken("must be an archive in one part that ends with its directory, as office programs write it")
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY or offset + length != size - END.size:
        raise NotTaken(f"must be an archive of at most {MAX_ENTRIES} entries, with nothing before or after them")


def _check_entries(entries: Collection[ZipInfo], size: int) -> None:
    names = {entry.filename.lower() for entry in entries}
    if len(names) != len(entries) or len(entries) > MAX_ENTRIES:
        raise NotTaken("must be an archive in which each name stands once")
    if sum(entry.compress_size for entry in entries) > size:
        raise NotTaken("must be an archive whose entries do not overlap")
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or ":" in name:
            raise NotTaken("must be an archive whose entries stay within it")
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise NotTaken("must be an archive without a password, packed by deflate")
        if any(mark in name.lower() for mark in MACROS):
            raise NotTaken("must hold no macros and no embedded programs")


def _unpack(archive: ZipFile, entry: ZipInfo, budget: int) -> int:
    """Counts what an entry unpacks to, and looks at how it begins."""
    allowed = min(budget, max(FREE_OF_RATIO, entry.compress_size * MAX_RATIO))
    unpacked = 0
    with archive.open(entry) as content:
        while piece := content.read(PIECE):
            if unpacked == 0 and piece.startswith(ARCHIVES):
                raise NotTaken("must hold no archive within the archive")
            if unpacked == 0 and piece.startswith(PROGRAMS):
                raise NotTaken("must hold no macros and no embedded programs")
            unpacked += len(piece)
            if unpacked > allowed:
                raise NotTaken(f"must not unpack to more than {MAX_RATIO} times its size, or {MAX_UNPACKED} bytes")
    _check_markup(archive, entry)
    return unpacked


def _check_markup(archive: ZipFile, entry: ZipInfo) -> None:
    """No part of an office file needs a document type; the list of parts tells of macros whatever they are called."""
    if not entry.filename.lower().endswith((".xml", ".rels")):
        return
    with archive.open(entry) as content:
        refuse_doctype(iter(lambda: content.read(PIECE), b""))
    if entry.filename == TYPES:
        walk_xml([archive.read(entry)], _refuse_macros)


def _refuse_macros(_: list[str], attributes: dict[str, str]) -> None:
    if "macroenabled" in attributes.get("ContentType", "").lower():
        raise NotTaken("must hold no macros and no embedded programs")


def _main_part(names: Collection[str]) -> str:
    found = [suffix for part, suffix in MAIN_PARTS.items() if part in names]
    if TYPES not in names or len(found) != 1:
        raise NotTaken("must be no archive but a workbook (xlsx) or a text (docx); upload what is inside")
    return found[0]
