"""Entries side by side: the form of tlog-tiles' bundles, packed and unpacked."""

from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.bundle import MAX_CHUNK_BYTES, NotABundle, join_entries, pack, split_entries, unpack


def test_an_entry_stands_behind_its_length_in_16_bits() -> None:
    """C2SP tlog-tiles: a uint16 length, big-endian, then the entry."""
    assert join_entries([b"abc", b"d" * 300]) == b"\x00\x03abc" + b"\x01\x2c" + b"d" * 300


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20))
def test_joined_entries_split_and_unpack_again(entries: list[bytes]) -> None:
    """What is stored gives back the entries, of none too."""
    body = join_entries(entries)
    assert unpack(pack(body)) == body
    assert split_entries(body) == entries


@pytest.mark.parametrize("entry", [b"", b"x" * 65536])
def test_an_entry_that_has_no_length_is_refused(entry: bytes) -> None:
    """Empty ones and those past 16 bits."""
    with pytest.raises(ValueError, match="1 to 65535"):
        join_entries([entry])


@pytest.mark.parametrize("body", [b"\0", b"\0\0", b"\0\1", b"\0\1a\0", b"\0\1a\0\2b"])
def test_a_body_that_does_not_divide_into_entries_is_refused(body: bytes) -> None:
    """Cut within a length or an entry, or with an empty entry."""
    with pytest.raises(NotABundle):
        split_entries(body)


@given(st.binary(min_size=1, max_size=100))
def test_bytes_that_were_never_packed_are_refused(packed: bytes) -> None:
    """Whatever they are, they are no accident."""
    with pytest.raises(NotABundle):
        unpack(packed)


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    """A frame that says it holds more than a chunk can."""
    with pytest.raises(NotABundle, match="at most"):
        unpack(zstandard.compress(bytes(MAX_CHUNK_BYTES + 1)))


@given(st.data())
def test_a_damaged_pack_is_refused_or_shows(data: st.DataObject) -> None:
    """One flipped bit gives the one error or other bytes, which the leaf hashes tell; never another accident."""
    packed = bytearray(pack(join_entries([b"entry one", b"entry two"])))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(NotABundle):
        assert len(unpack(bytes(packed))) <= MAX_CHUNK_BYTES
