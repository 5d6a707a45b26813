"""Forgets results that are old."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from services.probes.history.handlers import forget_old_results
from shared.database import Pool
from shared.transactions import begin

SERVICE = "probes"
SWEEP_SECONDS = 3600.0


@dataclass(frozen=True)
class Sweeper:
    """Keeps the results within their history."""

    pool: Pool
    history: timedelta

    async def run(self) -> None:
        """Works for ever."""
        while True:
            async with begin(self.pool, SERVICE) as tx:
                await forget_old_results(tx, self.history)
            await asyncio.sleep(SWEEP_SECONDS)
