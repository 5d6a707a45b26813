"""Entries side by side: the form of tlog-tiles' bundles, and chunks whose damage is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.bundle import CHUNK, chunk_bounds, join_entries, split_entries
from services.compliance.log.domain import Chunk, read_chunk

HASHES = [bytes([number]) * 32 for number in range(CHUNK)]


def test_an_entry_stands_behind_its_length_in_16_bits() -> None:
    """C2SP tlog-tiles: a uint16 length, big-endian, then the entry."""
    assert join_entries([b"abc", b"d" * 300]) == b"\x00\x03abc" + b"\x01\x2c" + b"d" * 300


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20))
def test_joined_entries_split_again(entries: list[bytes]) -> None:
    """Nothing is left behind the last one."""
    assert split_entries(join_entries(entries)) == (entries, b"")


@pytest.mark.parametrize("entry", [b"", b"x" * 65536])
def test_an_entry_that_has_no_length_is_refused(entry: bytes) -> None:
    """Empty ones and those past 16 bits."""
    with pytest.raises(ValueError, match="1 to 65535"):
        join_entries([entry])


@given(st.integers(0, 5000), st.integers(0, 700))
def test_chunks_cover_all_and_cross_no_boundary(start: int, count: int) -> None:
    """The bounds follow each other, and each lies within one multiple of CHUNK."""
    bounds = list(chunk_bounds(start, start + count))
    assert [index for first, end in bounds for index in range(first, end)] == list(range(start, start + count))
    assert all(first // CHUNK == (end - 1) // CHUNK for first, end in bounds)


@pytest.mark.parametrize(
    ("start", "body", "hashes", "seen"),
    [
        (0, join_entries([b"a", b"b"]), 2, [b"a", b"b"]),
        (0, join_entries([b"a"]), 2, [b"a", None]),
        (0, join_entries([b"a", b"b"])[:-1], 2, [b"a", None]),
        (0, join_entries([b"a", b"b"]) + b"\x00", 2, [b"a", None]),
        (0, join_entries([b"a", b"b", b"c"]), 2, [b"a", None]),
        (0, b"", 1, [None]),
        (CHUNK - 1, join_entries([b"a", b"b"]), 2, [None]),
    ],
)
def test_damage_of_a_chunk_shows_as_a_missing_entry(
    start: int, body: bytes, hashes: int, seen: list[bytes | None]
) -> None:
    """A body cut short, one with something left, one with an entry too many, a chunk that reaches into the next."""
    chunk = Chunk(start, body, b"".join(HASHES[:hashes]))
    assert [entry for _, entry, _ in read_chunk(chunk)] == seen
