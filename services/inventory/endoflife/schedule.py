"""Looks at components' ends: at those that were changed within minutes, at all of them once a day."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from services.inventory.endoflife.handlers import look_at_some
from shared.database import Pool
from shared.transactions import begin, utc_now

SERVICE = "inventory"
PAUSE_SECONDS = 60.0
REST = 9.0


@dataclass(frozen=True)
class EndOfLifeSchedule:
    """The schedule of one process; others take other components. ``clock`` gives the aware UTC time.

    It rests ``rest`` times as long as it works: nobody who asks for a list is to wait for what can wait until tomorrow.
    """

    pool: Pool
    clock: Callable[[], datetime] = utc_now
    rest: float = REST

    async def run(self) -> None:
        """Works for ever."""
        while True:
            await self.look_at_all()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look_at_all(self) -> None:
        """Works out what is due, some hundred components in each transaction."""
        after: str | None = ""
        while after is not None:
            began = monotonic()
            async with begin(self.pool, SERVICE, now=self.clock()) as tx:
                after = await look_at_some(tx, after)
            await asyncio.sleep((monotonic() - began) * self.rest)
