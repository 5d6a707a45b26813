"""Time in: tells of the ends of contracts when their days come.

Any number of schedules may run: each contract is settled in a transaction that holds its row, and what was told is
remembered in that same transaction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.inventory.contracts.handlers import settle_next_contract
from shared.database import Pool
from shared.transactions import begin, utc_now

SERVICE = "inventory"
PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class ContractSchedule:
    """The schedule of one process. ``clock`` gives the aware UTC time."""

    pool: Pool
    clock: Callable[[], datetime] = utc_now

    async def run(self) -> None:
        """Works until the database goes away; the supervisor then starts it anew."""
        while True:
            await self.settle_all()
            await asyncio.sleep(PAUSE_SECONDS)

    async def settle_all(self) -> None:
        """Tells of every end that is due, each in its own transaction."""
        after: str | None = ""
        while after is not None:
            async with begin(self.pool, SERVICE, now=self.clock()) as tx:
                after = await settle_next_contract(tx, after)
