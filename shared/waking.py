"""Waking what waits for work: a notification of the database that there is some, or a time at which to look anyway.

Who waits clears the event before looking for work, so that no news is missed:

    async with listening(dsn, schema, channel) as listener:
        while True:
            listener.woken.clear()
            await work()
            await listener.wait(5.0)
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from shared.database import connect
from shared.errors import Unavailable

if TYPE_CHECKING:
    import asyncpg


class Listener:
    """Sets ``woken`` at each notification on a channel, and when the connection is lost."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", woken: asyncio.Event | None = None) -> None:
        self.conn = conn
        self.woken = woken or asyncio.Event()

    async def listen(self, channel: str) -> None:
        """Hears ``channel`` from when this returns until the connection ends."""
        self.conn.add_termination_listener(lambda _: self.woken.set())
        await self.conn.add_listener(channel, lambda *_: self.woken.set())

    async def wait(self, seconds: float | None = None) -> None:
        """Returns when woken, or after ``seconds``. Raises Unavailable when the connection was lost."""
        await wait_at_most(self.woken, seconds)
        if self.conn.is_closed():
            raise Unavailable("the connection to the database on which news are heard was lost")


@asynccontextmanager
async def listening(dsn: str, schema: str, channel: str, woken: asyncio.Event | None = None) -> AsyncIterator[Listener]:
    """Hears a channel over a connection of its own; sets ``woken`` where others set it too. Raises Unavailable."""
    conn = await connect(dsn, schema=schema, application=channel.replace("_", "-"))
    try:
        listener = Listener(conn, woken)
        await listener.listen(channel)
        yield listener
    finally:
        conn.terminate()


async def wait_at_most(woken: asyncio.Event, seconds: float | None) -> None:
    """Returns when ``woken`` is set, or after ``seconds``; None waits for as long as it takes."""
    with suppress(TimeoutError):
        # Python 3.11's wait_for loses a cancellation that comes together with the news.
        async with asyncio.timeout(seconds if seconds is None else max(0.0, seconds)):
            await woken.wait()
