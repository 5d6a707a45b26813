"""Time in: what nobody hears any more, what is kept back no more, what is old."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.probes.alerts import store
from services.probes.alerts.domain import Policy
from services.probes.alerts.handlers import forget_old_alerts
from services.probes.alerts.watch import watch
from shared.database import Pool
from shared.transactions import begin

SERVICE = "probes"
LONGEST_SLEEP = 5.0
FORGET_EVERY = timedelta(hours=1)


@dataclass(frozen=True)
class Watcher:
    """Watches in every replica, in one at a time."""

    pool: Pool
    policy: Policy
    history: timedelta
    retry_seconds: float

    async def run(self) -> None:
        """Works for ever."""
        async with self.pool.acquire() as conn:
            since = await store.select_now(conn)
        forget_at: datetime | None = None
        while True:
            async with begin(self.pool, SERVICE) as tx:
                await watch(tx, self.policy, since)
                if forget_at is None or tx.now >= forget_at:
                    await forget_old_alerts(tx, self.history)
                    forget_at = tx.now + FORGET_EVERY
            await asyncio.sleep(min(LONGEST_SLEEP, self.retry_seconds))
