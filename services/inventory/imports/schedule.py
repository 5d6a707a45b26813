"""Carries out imports, one at a time in the whole service, in the order in which they were asked for."""

import asyncio
from dataclasses import dataclass

from services.inventory.imports.handlers import forget_old, run_next
from shared.database import Pool

PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class ImportSchedule:
    """The schedule of one process; while one process imports, the others wait."""

    pool: Pool
    pause: float = PAUSE_SECONDS

    async def run(self) -> None:
        """Works for ever."""
        await forget_old(self.pool)
        while True:
            while await run_next(self.pool):
                await forget_old(self.pool)
            await asyncio.sleep(self.pause)
