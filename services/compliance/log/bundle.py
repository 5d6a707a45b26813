"""How entries are laid side by side: the entry bundles of C2SP tlog-tiles, each entry behind its length in 16 bits.

The log stores a bundle of 256 in chunks that never cross a multiple of CHUNK, and their bodies joined are the bundle:
rows are only ever added, however few entries a batch has.
"""

from collections.abc import Iterator, Sequence

from services.compliance.log.entry import MAX_ENTRY_BYTES

CHUNK = 32
"""A chunk compresses nearly as well as a bundle, and to find one entry, 31 others are read at the most."""

LENGTH_BYTES = 2


def join_entries(entries: Sequence[bytes]) -> bytes:
    """The entries behind each other. Raises ValueError when one is empty or passes 65,535 bytes."""
    if any(not 0 < len(entry) <= MAX_ENTRY_BYTES for entry in entries):
        raise ValueError(f"an entry has 1 to {MAX_ENTRY_BYTES} bytes")
    return b"".join(len(entry).to_bytes(LENGTH_BYTES) + entry for entry in entries)


def split_entries(body: bytes) -> tuple[list[bytes], bytes]:
    """The whole entries of a body, and what is left behind them: nothing, unless the body is damaged."""
    entries, at = [], 0
    while at + LENGTH_BYTES <= len(body):
        end = at + LENGTH_BYTES + int.from_bytes(body[at : at + LENGTH_BYTES])
        if end > len(body):
            break
        entries.append(body[at + LENGTH_BYTES : end])
        at = end
    return entries, body[at:]


def chunk_bounds(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cuts the indices from ``start`` up to ``end`` where a chunk must end."""
    while start < end:
        stop = min(end, start - start % CHUNK + CHUNK)
        yield start, stop
        start = stop
