"""What tests of the user agent watch: that no socket and no task is left, and that nothing takes longer than it may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

TICK = 0.05


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """At its end there are the sockets and tasks of its beginning, and no others."""
    sockets, tasks = open_sockets(), asyncio.all_tasks()
    yield
    assert open_sockets() == sockets
    assert asyncio.all_tasks() == tasks


def open_sockets() -> set[str]:
    """The sockets this process has open; event loops also keep files and pipes of their own."""
    links = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The listing itself is one of the descriptors, and gone by now.
        with suppress(FileNotFoundError):
            links.add(str(descriptor.readlink()))
    return {link for link in links if link.startswith("socket:")}


class Patience:
    """Counts seconds in ticks of the event loop, so those in which a busy machine lets nobody run do not count."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._next = asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        self.seconds += TICK
        self._next = asyncio.get_running_loop().call_later(TICK, self._tick)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._next.cancel()
