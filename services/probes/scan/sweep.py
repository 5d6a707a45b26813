"""Asks each address of a range once, no faster than was said."""

import asyncio
from collections.abc import AsyncIterator, Callable

from services.probes.dicom import Peer, echo
from services.probes.scan.domain import Answer, Range, read_answer

AT_ONCE = 64


async def sweep(
    asked: Range, called: str, calling: str, timeout: float, progress: Callable[[int], None]
) -> AsyncIterator[Answer]:
    """What listens in the range, in the order in which it is found; ``progress`` is told how many were asked."""
    loop = asyncio.get_running_loop()
    places = [(host, port) for host in asked.addresses for port in asked.ports]
    found: asyncio.Queue[Answer | None] = asyncio.Queue()
    slots = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def ask(host: str, port: int) -> None:
        nonlocal done
        try:
            answer = read_answer(host, port, await echo(Peer(host, port, called), calling, timeout))
        finally:
            slots.release()
        done += 1
        progress(done)
        if answer is not None:
            found.put_nowait(answer)

    async def ask_all() -> None:
        next_at = loop.time()
        try:
            async with asyncio.TaskGroup() as asking:
                for place in places:
                    await slots.acquire()
                    await asyncio.sleep(max(0.0, next_at - loop.time()))
                    # What silent addresses have held up is not made up for: that would be faster than was said.
                    next_at = max(next_at, loop.time()) + 1 / asked.per_second
                    asking.create_task(ask(*place))
        finally:
            found.put_nowait(None)

    asking = asyncio.create_task(ask_all())
    try:
        while (answer := await found.get()) is not None:
            yield answer
        await asking
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
