"""What is stored in chunks is cut out and joined as it was put there, or found to be damaged."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.bundle import CHUNK, join_entries, pack
from services.compliance.log.domain import Damaged, StoredTiles, join_chunks, pick_entries
from services.compliance.log.tiles import Tile

ENTRIES = [b"entry %d " % index * (1 + index % 7) for index in range(3 * CHUNK - 5)]
CHUNKS = [(start, ENTRIES[start : start + CHUNK]) for start in range(0, len(ENTRIES), CHUNK)]
STORED = [(start, pack(join_entries(entries))) for start, entries in CHUNKS]


@given(st.lists(st.integers(0, len(ENTRIES) + 200)), st.permutations(STORED))
def test_entries_that_are_there_are_cut_out(indices: list[int], stored: list[tuple[int, bytes]]) -> None:
    """In whatever order, and however often, they are asked for; others are left out."""
    assert pick_entries(indices, stored) == {index: ENTRIES[index] for index in indices if index < len(ENTRIES)}


@pytest.mark.parametrize("length", range(len(join_entries(ENTRIES[:3]))))
def test_body_that_is_cut_off_has_the_entries_before_the_cut_alone(length: int) -> None:
    """An entry that the body ends in is damage, and none behind its end is made up."""
    cut = [(0, pack(join_entries(ENTRIES[:3])[:length]))]
    ends = [len(join_entries(ENTRIES[:count])) for count in range(4)]
    for index in range(3):
        if length >= ends[index + 1]:
            assert pick_entries([index], cut) == {index: ENTRIES[index]}
        elif length > ends[index]:
            with pytest.raises(Damaged, match="entries can't be read; run `steward log verify`"):
                pick_entries([index], cut)
        else:
            with suppress(Damaged):
                assert pick_entries([index], cut) == {}


@pytest.mark.parametrize("body", [b"\x00\x00", b"\x00\x05two", b"\xff"])
def test_entry_without_all_its_bytes_is_damage(body: bytes) -> None:
    """So are one without any, and the half of a length."""
    with pytest.raises(Damaged, match="entries can't be read"):
        pick_entries([0], [(0, pack(body))])


def test_chunks_make_tiles_up_to_the_first_that_is_missing() -> None:
    """The hashes behind a gap never take the place of those that lack."""
    chunks = {start: bytes([start // CHUNK]) * 32 * CHUNK for start in range(0, 9 * CHUNK, CHUNK)}
    del chunks[5 * CHUNK]
    chunks[8 * CHUNK] = b"\x08" * 32 * 3
    stored = StoredTiles(join_chunks(chunks))
    whole = stored.pick([Tile(0, 0), Tile(0, 1, CHUNK), Tile(0, 2, 3), Tile(0, 0, 7)])
    assert whole[Tile(0, 0)] == b"".join(chunks[start] for start in range(0, 4 * CHUNK, CHUNK))
    assert whole[Tile(0, 1, CHUNK)] == chunks[4 * CHUNK]
    assert whole[Tile(0, 2, 3)] == chunks[8 * CHUNK]
    assert whole[Tile(0, 0, 7)] == chunks[0][: 7 * 32]
    with pytest.raises(Damaged, match=r"1 of the 65 hashes of tile/0/001\.p/65 are missing; run `steward log verify`"):
        stored.pick([Tile(0, 1, CHUNK + 1)])
    with pytest.raises(Damaged, match=r"2 of the 2 hashes of tile/1/000\.p/2 are missing"):
        stored.pick([Tile(1, 0, 2)])
