"""How entries are laid side by side: the entry bundles of C2SP tlog-tiles, each entry behind its length in 16 bits.

The log stores a bundle of 256 in four chunks, each compressed by itself: to show one entry, 63 others are read.
"""

from collections.abc import Iterable, Sequence
from functools import partial

import zstandard

from services.compliance.log.entry import MAX_ENTRY_BYTES
from services.compliance.log.hashing import LENGTH_BYTES
from services.compliance.log.tree import TILE

BUNDLE = TILE
"""How many entries a complete bundle has."""

CHUNK = 64
"""How many entries a complete chunk has."""

MAX_CHUNK_BYTES = CHUNK * (LENGTH_BYTES + MAX_ENTRY_BYTES)

_new_compressor = partial(zstandard.ZstdCompressor, level=1, write_checksum=False, write_content_size=True)
_compressor = _new_compressor()
_decompressor = zstandard.ZstdDecompressor()


class NotABundle(ValueError):
    """The bytes do not divide into entries."""


def join_entries(entries: Iterable[bytes]) -> bytes:
    """The entries behind each other. Raises ValueError when one is empty or passes 65,535 bytes."""
    parts = []
    for entry in entries:
        if not 0 < len(entry) <= MAX_ENTRY_BYTES:
            raise ValueError(f"an entry has 1 to {MAX_ENTRY_BYTES} bytes")
        parts += [len(entry).to_bytes(LENGTH_BYTES), entry]
    return b"".join(parts)


def split_entries(body: bytes) -> list[bytes]:
    """The entries of a body. Raises NotABundle when one is empty or cut."""
    entries = divide(body)
    if not all(entries):
        raise NotABundle(f"entry {entries.index(b'')} of these is empty")
    return entries


def divide(body: bytes) -> list[bytes]:
    """The entries of a body, of which other programs may have written empty ones. Raises NotABundle when one is cut."""
    entries: list[bytes] = []
    at, end = 0, len(body)
    while at < end:
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(body[at:start])
        if at > end:
            raise NotABundle(f"entry {len(entries)} of these is cut off")
        entries.append(body[start:at])
    return entries


def pack(body: bytes) -> bytes:
    """The body as it is stored; of nothing, nothing."""
    return _compressor.compress(body) if body else b""


def pack_all(bodies: Sequence[bytes]) -> list[bytes]:
    """Each body as it is stored; other threads run meanwhile. A compressor serves one thread: each call has its own."""
    if not bodies:
        return []
    packed = _new_compressor().multi_compress_to_buffer([*bodies], threads=1)
    return [packed[at].tobytes() for at in range(len(packed))]


def unpack(packed: bytes) -> bytes:
    """The body of what is stored. Raises NotABundle."""
    if not packed:
        return b""
    try:
        size = zstandard.frame_content_size(packed)
        if not 0 < size <= MAX_CHUNK_BYTES:
            raise NotABundle(f"a chunk unpacks to at most {MAX_CHUNK_BYTES} bytes, and this one says {size}")
        return _decompressor.decompress(packed, max_output_size=size)
    except zstandard.ZstdError as exc:
        raise NotABundle(f"does not unpack: {exc}") from exc
