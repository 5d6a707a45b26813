"""Looks at components' ends: at those that were changed within minutes, at all of them once a day."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.inventory.endoflife.handlers import look_at_some
from shared.database import Pool
from shared.transactions import begin

SERVICE = "inventory"
PAUSE_SECONDS = 60.0


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class EndOfLifeSchedule:
    """The schedule of one process; others take other components. ``clock`` gives the aware UTC time."""

    pool: Pool
    clock: Callable[[], datetime] = utc_now
    pause: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Works for ever."""
        while True:
            await self.look_at_all()
            await asyncio.sleep(self.pause)

    async def look_at_all(self) -> None:
        """Works out what is due, some hundred components in each transaction."""
        after: str | None = ""
        while after is not None:
            async with begin(self.pool, SERVICE, now=self.clock()) as tx:
                after = await look_at_some(tx, after)
