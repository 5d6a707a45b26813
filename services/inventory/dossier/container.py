"""The file that a dossier is: a ZIP file (APPNOTE 6.3.10) of which nothing but names and contents is free.

Members are stored as they are, in a fixed order, with one time and one mode for all, and nothing stands between them.
So the same dossier has the same bytes wherever it is written; and a reader builds all but the contents again and
compares: no member can be hidden, doubled, linked, packed or placed elsewhere.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from struct import error as StructError
from typing import IO
from zlib import crc32

from shared.errors import StewardError

PATH = re.compile(r"[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*(/[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*)*", re.ASCII)
MAX_PATH = 200
MAX_MEMBERS = 0xFFFF - 1
MAX_BYTES = 0xFFFFFFFF - 1
"""Behind these numbers a ZIP file would need its 64-bit form."""

PIECE = 1 << 20
_LOCAL = Struct("<4sHHHHHIIIHH")
_CENTRAL = Struct("<4sHHHHHHIIIHHHHHII")
_END = Struct("<4sHHHHIIH")
_LOCAL_SIGN, _CENTRAL_SIGN, _END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_MADE_BY_UNIX, _VERSION = 3 << 8 | 20, 20
_MIDNIGHT, _FIRST_OF_1980 = 0, 0 << 9 | 1 << 5 | 1
_READABLE_FILE = 0o100644 << 16
_STORED = 0


class NotADossier(StewardError):
    """The file is no sound dossier; names the first thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file within, and its CRC-32."""

    path: str
    size: int
    crc32: int


def local_header(member: Member) -> bytes:
    """What stands before a member's content."""
    name = member.path.encode()
    fixed = (_VERSION, 0, _STORED, _MIDNIGHT, _FIRST_OF_1980, member.crc32, member.size, member.size, len(name), 0)
    return _LOCAL.pack(_LOCAL_SIGN, *fixed) + name


def directory(members: Sequence[Member]) -> bytes:
    """What stands behind the last content: where each member is, and the end of the file."""
    pieces, offset = [], 0
    for member in members:
        pieces.append(_directory_entry(member, offset))
        offset += len(local_header(member)) + member.size
    entries = b"".join(pieces)
    count = len(members)
    return entries + _END.pack(_END_SIGN, 0, 0, count, count, len(entries), offset, 0)


def _directory_entry(member: Member, offset: int) -> bytes:
    name = member.path.encode()
    times = (_MIDNIGHT, _FIRST_OF_1980)
    sizes = (member.crc32, member.size, member.size, len(name))
    fixed = (_MADE_BY_UNIX, _VERSION, 0, _STORED, *times, *sizes, 0, 0, 0, 0, _READABLE_FILE, offset)
    return _CENTRAL.pack(_CENTRAL_SIGN, *fixed) + name


def total_size(members: Sequence[Member]) -> int:
    """How many bytes the file has. Raises NotADossier where that passes what a plain ZIP file can hold."""
    size = sum(len(local_header(member)) + member.size for member in members) + directory_size(members)
    if size > MAX_BYTES or len(members) > MAX_MEMBERS:
        raise NotADossier(f"{len(members)} files of {size} bytes pass what one ZIP file holds ({MAX_BYTES} bytes)")
    return size


def directory_size(members: Sequence[Member]) -> int:
    """How many bytes stand behind the last content."""
    return sum(_CENTRAL.size + len(member.path) for member in members) + _END.size


def check_path(path: str) -> None:
    """Raises NotADossier for a name that could lead anywhere but to a plain file below a folder."""
    if len(path) > MAX_PATH or not PATH.fullmatch(path):
        raise NotADossier(f"the name {path!r} is none that a dossier gives; it could lead elsewhere")


@dataclass(frozen=True, slots=True)
class Placed(Member):
    """A member of a file, and where its content begins."""

    offset: int


def read_members(file: IO[bytes]) -> list[Placed]:
    """The members of a file, once all that stands between their contents is known to be as it must.

    Raises NotADossier. Contents are not read; what is read is bounded by the size of the file.
    """
    size = file.seek(0, 2)
    try:
        members = _read_directory(file, size)
        return list(_check_headers(file, members))
    except (StructError, UnicodeDecodeError, OverflowError) as exc:
        raise NotADossier(f"the file was cut or changed: {exc}") from exc


def read_content(file: IO[bytes], member: Placed) -> Iterator[bytes]:
    """A member's content in pieces. Raises NotADossier at its end where its CRC-32 is another."""
    found, left = 0, member.size
    file.seek(member.offset)
    while left:
        piece = file.read(min(PIECE, left))
        if not piece:
            raise NotADossier(f"{member.path}: the file ends within it")
        found, left = crc32(piece, found), left - len(piece)
        yield piece
    if found != member.crc32:
        raise NotADossier(f"{member.path} was changed")


def _read_directory(file: IO[bytes], size: int) -> list[Member]:
    sign, *_, count, length, start, comment = _END.unpack(_read_at(file, max(0, size - _END.size), _END.size))
    if sign != _END_SIGN or comment:
        raise NotADossier("the file does not end as a dossier does: it was cut, or something stands behind it")
    if start + length + _END.size != size or length > count * (_CENTRAL.size + MAX_PATH):
        raise NotADossier("the directory is not where the end of the file says")
    raw = _read_at(file, start, length)
    members = list(_parse_entries(raw, count))
    if sum(len(local_header(one)) + one.size for one in members) != start:
        raise NotADossier("the files do not fill the place before the directory: something is hidden or missing")
    if directory(members) != raw + _read_at(file, start + length, _END.size):
        raise NotADossier("the directory is not the one that these files have")
    return members


def _parse_entries(raw: bytes, count: int) -> Iterator[Member]:
    seen: set[str] = set()
    at = 0
    for _ in range(count):
        fields = _CENTRAL.unpack_from(raw, at)
        method, crc, packed, size, name_length, mode = fields[4], *fields[7:11], fields[15]
        path = raw[at + _CENTRAL.size : at + _CENTRAL.size + name_length].decode()
        check_path(path)
        if path in seen:
            raise NotADossier(f"{path} is there twice")
        if method != _STORED or packed != size:
            raise NotADossier(f"{path} is packed; a dossier stores its files as they are")
        if mode != _READABLE_FILE:
            raise NotADossier(f"{path} is no plain file but a link, a folder or something else")
        seen.add(path)
        at += _CENTRAL.size + name_length
        yield Member(path, size, crc)


def _check_headers(file: IO[bytes], members: Sequence[Member]) -> Iterator[Placed]:
    offset = 0
    for member in members:
        header = local_header(member)
        if _read_at(file, offset, len(header)) != header:
            raise NotADossier(f"{member.path}: what stands before it is not what the directory says")
        offset += len(header)
        yield Placed(member.path, member.size, member.crc32, offset)
        offset += member.size


def _read_at(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
