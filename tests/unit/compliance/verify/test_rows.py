"""Index rows as they are taken, a chunk's at a time."""

from hypothesis import given
from hypothesis import strategies as st

from services.compliance.verify.rows import MENTION, RowReader


@given(st.lists(st.integers(-9, 400)).map(sorted), st.lists(st.integers(0, 400)).map(sorted))
def test_each_row_is_taken_with_its_entry(indexes: list[int], ends: list[int]) -> None:
    """Whether an entry has one row, none, or many."""
    rows = [MENTION.pack(4, 8, index, 8, 0, 8, number, 2, 0) for number, index in enumerate(indexes)]
    reader, before = RowReader(b"".join(rows), MENTION.size), -100
    for end in ends:
        taken = [row for row, index in zip(rows, indexes, strict=True) if before <= index < end]
        assert reader.upto(end) == b"".join(taken)
        before = max(before, end)


def test_a_chunk_of_one_row_each_is_taken_at_once() -> None:
    """Also the last one, and one that another row follows for the same entry."""
    rows = [MENTION.pack(4, 8, index, 8, 0, 8, 0, 2, 0) for index in [*range(128), 127, 128]]
    reader = RowReader(b"".join(rows), MENTION.size)
    assert [len(reader.upto(end)) // MENTION.size for end in (64, 128, 192)] == [64, 65, 1]
