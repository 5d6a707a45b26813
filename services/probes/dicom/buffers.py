"""Received bytes on their way from the network to a message, copied as seldom as can be."""

from collections import deque

# Chunks up to this size are put together, so that one byte at a time does not cost an object each.
_SMALL = 4_096
# A fragment of at least this size is kept as a view into what was received, until its message is whole.
_LARGE = 8_192


class Unread:
    """What came and was not read, in the chunks in which it came."""

    __slots__ = ("_chunks", "_length", "_offset")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, data: bytes) -> None:
        """More came."""
        self._length += len(data)
        if len(data) < _SMALL and len(self._chunks) > 1 and len(self._chunks[-1]) < _SMALL:
            data = self._chunks.pop() + data
        self._chunks.append(data)

    def peek(self, count: int) -> tuple[bytes, int]:
        """Bytes, and the offset in them from which on the next ``count`` ones stand, which must have come."""
        if len(self._chunks[0]) - self._offset < count:
            joined = bytes(self._joined(count))
            if self._offset:
                self._chunks[0] = self._chunks[0][self._offset :]
                self._offset = 0
            self._chunks.appendleft(joined)
        return self._chunks[0], self._offset

    def take(self, count: int) -> memoryview:
        """The next ``count`` bytes, which must have come; they are read now."""
        self._length -= count
        first = self._chunks[0]
        stop = self._offset + count
        if len(first) < stop:
            return self._joined(count)
        taken = memoryview(first)[self._offset : stop]
        if stop == len(first):
            self._chunks.popleft()
            stop = 0
        self._offset = stop
        return taken

    def _joined(self, count: int) -> memoryview:
        parts = []
        while count:
            part = memoryview(self._chunks[0])[self._offset : self._offset + count]
            parts.append(part)
            count -= len(part)
            self._offset += len(part)
            if self._offset == len(self._chunks[0]):
                self._chunks.popleft()
                self._offset = 0
        return memoryview(b"".join(parts))


class Assembly:
    """A message in the making, from its fragments."""

    __slots__ = ("_parts", "_tail", "length")

    def __init__(self) -> None:
        self.length = 0
        self._parts: list[bytes | memoryview] = []
        self._tail = bytearray()

    def add(self, fragment: memoryview) -> None:
        """One more fragment."""
        size = len(fragment)
        self.length += size
        if size < _LARGE:
            self._tail += fragment
            return
        if self._tail:
            self._parts.append(bytes(self._tail))
            self._tail = bytearray()
        self._parts.append(fragment)

    def whole(self) -> bytes:
        """All of it."""
        if not self._parts:
            return bytes(self._tail)
        return b"".join((*self._parts, self._tail))
