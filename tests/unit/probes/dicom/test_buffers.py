"""What came in any chunks is read in any pieces, byte for byte."""

from hypothesis import given
from hypothesis import strategies as st

from services.probes.dicom.buffers import Assembly, Unread

sizes = st.lists(st.integers(1, 20) | st.integers(4_000, 9_000), min_size=1, max_size=12)


def stream(length: int) -> bytes:
    return bytes(n * 7 % 251 for n in range(length))


@given(sizes, st.lists(st.integers(1, 30) | st.integers(3_000, 12_000), max_size=12), st.booleans())
def test_bytes_are_read_as_they_came(chunks: list[int], pieces: list[int], peeking: bool) -> None:
    sent, unread, offset = stream(sum(chunks)), Unread(), 0
    for size in chunks:
        unread.add(sent[offset : offset + size])
        offset += size
    read = 0
    for size in pieces:
        if size > len(unread):
            break
        if peeking:
            start, at = unread.peek(min(6, size))
            assert start[at : at + min(6, size)] == sent[read : read + min(6, size)]
        assert unread.take(size) == sent[read : read + size]
        read += size
    assert len(unread) == len(sent) - read


@given(sizes)
def test_a_message_is_what_its_fragments_were(fragments: list[int]) -> None:
    sent, assembly, offset = stream(sum(fragments)), Assembly(), 0
    for size in fragments:
        assembly.add(memoryview(sent)[offset : offset + size])
        offset += size
    assert assembly.length == len(sent)
    assert assembly.whole() == sent
