"""What came to a listener and waits to be taken: bounded in number and size, and closed with it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue of at most ``most`` things and ``size`` bytes; one thing of any size always fits into an empty one."""

    def __init__(self, most: int, size: int) -> None:
        self._most = most
        self._size = size
        self._waiting: deque[tuple[T, int]] = deque()
        self._held = 0
        self._is_closed = False
        self._changed = asyncio.Condition()

    async def put(self, thing: T, size: int, seconds: float) -> bool:
        """Keeps the thing, once there is room; False where there was none in so many seconds."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._has_room(size))
                self._waiting.append((thing, size))
                self._held += size
                self._changed.notify_all()
        except TimeoutError:
            return False
        return True

    async def taken(self) -> AsyncIterator[T]:
        """Things as they come, until the inbox is closed and empty."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                thing, size = self._waiting.popleft()
                self._held -= size
                self._changed.notify_all()
            yield thing

    async def close(self) -> None:
        """Nothing more will come."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._waiting or (len(self._waiting) < self._most and self._held + size <= self._size)
