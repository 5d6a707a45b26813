"""Wakes what waits for new notices and deliveries as soon as a transaction that made some has committed."""

import asyncio
from contextlib import suppress

from services.notifier.delivery.store import CHANNEL
from shared.database import connect
from shared.errors import Unavailable

LONGEST_REST = 5.0


class Bell:
    """Rings in every replica. Who rests on it also looks by itself every few seconds, in case the bell is away."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._sleepers: list[asyncio.Event] = []

    def sleeper(self) -> asyncio.Event:
        """An event that is set at each ring; to be cleared before looking for work, so that no ring is missed."""
        event = asyncio.Event()
        self._sleepers.append(event)
        return event

    async def listen(self) -> None:
        """Rings until the connection is lost; raises Unavailable then."""
        conn = await connect(self._dsn, schema="notifier", application="steward-notifier-bell")
        lost = asyncio.Event()
        try:
            conn.add_termination_listener(lambda _: lost.set())
            await conn.add_listener(CHANNEL, lambda *_: self._ring())
            self._ring()
            await lost.wait()
            raise Unavailable("the bell lost its connection to the database")
        finally:
            conn.terminate()

    def _ring(self) -> None:
        for event in self._sleepers:
            event.set()


async def rest(woken: asyncio.Event, seconds: float) -> None:
    """Waits for the bell, at most ``seconds`` and never longer than LONGEST_REST."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, min(seconds, LONGEST_REST))):
            await woken.wait()
