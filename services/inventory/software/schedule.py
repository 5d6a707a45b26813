"""Compares software again when an approved list has changed, and ends the alerts of assets that have ended."""

import asyncio
from dataclasses import dataclass

from services.inventory.software.handlers import compare_some
from shared.database import Pool
from shared.transactions import begin

SERVICE = "inventory"
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class SoftwareSchedule:
    """The schedule of one process; others take other assets."""

    pool: Pool
    pause: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Works for ever."""
        while True:
            await self.compare_all()
            await asyncio.sleep(self.pause)

    async def compare_all(self) -> None:
        """Compares what is due, some assets in each transaction."""
        is_more = True
        while is_more:
            async with begin(self.pool, SERVICE) as tx:
                is_more = await compare_some(tx) > 0
