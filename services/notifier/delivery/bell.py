"""Wakes what waits for new notices and deliveries as soon as a transaction that made some has committed."""

import asyncio

from services.notifier.delivery.store import CHANNEL
from shared.waking import listening


class Bell:
    """Rings in every replica, over one connection. Who waits for it also looks by itself now and then."""

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
        async with listening(self._dsn, "notifier", CHANNEL) as listener:
            while True:
                listener.woken.clear()
                self._ring()
                await listener.wait()

    def _ring(self) -> None:
        for event in self._sleepers:
            event.set()
