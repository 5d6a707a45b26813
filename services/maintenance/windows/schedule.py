"""Opens and closes windows at their instants.

Any number of schedules may run: each step is taken in a transaction that holds the window's row, by whoever gets there
first. After an outage the missed steps follow in their order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.maintenance.windows import handlers, store
from shared.database import Connection, Pool
from shared.telemetry import log
from shared.transactions import begin, utc_now
from shared.waking import listening

SERVICE = "maintenance"
LONGEST_PAUSE = 5.0
SHORTEST_PAUSE = 0.05


@dataclass(frozen=True)
class WindowSchedule:
    """The schedule of one process. ``clock`` gives the aware UTC time."""

    pool: Pool
    dsn: str
    clock: Callable[[], datetime] = utc_now

    async def run(self) -> None:
        """Works until the database goes away; the supervisor then starts it anew."""
        async with listening(self.dsn, SERVICE, store.CHANNEL) as listener:
            while True:
                listener.woken.clear()
                await self.advance_all_due()
                await listener.wait(await self._pause(listener.conn))

    async def advance_all_due(self) -> None:
        """Takes every step that is due, each in its own transaction."""
        while True:
            async with begin(self.pool, SERVICE, now=self.clock()) as tx:
                window = await handlers.advance_due_window(tx)
            if window is None:
                return
            log.info(f"window.{window.state}", service=SERVICE, window=window.id, site=window.site_id)

    async def _pause(self, conn: Connection) -> float:
        due = await store.select_next_due(conn)
        if due is None:
            return LONGEST_PAUSE
        # What is due already is in the hands of another schedule, or it would be done.
        return min(max((due - self.clock()).total_seconds(), SHORTEST_PAUSE), LONGEST_PAUSE)
