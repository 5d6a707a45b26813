"""Makes the rollups, and keeps everything within its history."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from services.probes.reports.handlers import forget_old_reports
from services.probes.rollups.handlers import close_periods, keep_within_history, roll_late, roll_next
from services.probes.suites.handlers import forget_old_runs
from shared.database import Pool
from shared.transactions import begin

SERVICE = "probes"
PAUSE_SECONDS = 10.0
SWEEP_SECONDS = 3600.0


@dataclass(frozen=True)
class Roller:
    """Sums up results. Every replica has one; a database lock lets one at a time do each step."""

    pool: Pool

    async def run(self) -> None:
        """Works for ever."""
        while True:
            await self.catch_up()
            await asyncio.sleep(PAUSE_SECONDS)

    async def catch_up(self) -> None:
        """Sums up all that is over, and all that came late."""
        async with begin(self.pool, SERVICE) as tx:
            await close_periods(tx)
        for roll in (roll_next, roll_late):
            is_more = True
            while is_more:
                async with begin(self.pool, SERVICE) as tx:
                    is_more = await roll(tx)


@dataclass(frozen=True)
class Sweeper:
    """Keeps results, sums, and what suites and staff have left, within their history."""

    pool: Pool
    results: timedelta
    fine: timedelta
    coarse: timedelta
    records: timedelta

    async def run(self) -> None:
        """Works for ever."""
        while True:
            async with begin(self.pool, SERVICE) as tx:
                await forget_old_runs(tx, self.records)
                await forget_old_reports(tx, self.records)
            async with begin(self.pool, SERVICE) as tx:
                await keep_within_history(tx, self.results, self.fine, self.coarse)
            await asyncio.sleep(SWEEP_SECONDS)
