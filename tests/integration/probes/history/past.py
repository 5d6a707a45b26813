"""A past for the history: results as probes would have told them, and the database that keeps them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from services.probes.history.domain import Result
from services.probes.history.handlers import keep_results
from services.probes.rollups.domain import HOUR, floor
from services.probes.rollups.handlers import close_periods, roll_late, roll_next
from shared.database import Pool, close_pool, open_pool
from shared.transactions import begin, new_id
from tests.integration.conftest import login

SUBJECT = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"
MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def database_of_probes(database: str) -> AsyncIterator[Pool]:
    """A pool with the rights of the service."""
    pool = await open_pool(login(database, "steward_probes"), schema="probes", application="test")
    try:
        yield pool
    finally:
        await close_pool(pool)


async def next_hour(pool: Pool) -> datetime:
    """The first full hour of which nothing was rolled."""
    closed: datetime = await pool.fetchval("SELECT at FROM rollup_marks WHERE name = 'closed'")
    return floor(closed, HOUR) + HOUR


def result(due_at: datetime, probe_id: str = f"dicom-echo:{SUBJECT}", **more: Any) -> Result:
    """A result that was ok, but for what is said otherwise."""
    told: dict[str, Any] = {
        "id": new_id(),
        "probe_id": probe_id,
        "subject": SUBJECT,
        "site_id": "north",
        "kind": probe_id.partition(":")[0],
        "due_at": due_at,
        "started_at": due_at,
        "outcome": "ok",
        "failure": None,
        "detail": "",
        "phases": {"tcp": 1.0, "dimse": 2.0},
        "rejection": None,
        "status": None,
        "lag_ms": 0.0,
        "vantage": "test",
        "window_id": None,
        "measures": {},
        "facts": {},
    }
    return Result.model_validate(told | more)


async def keep(pool: Pool, results: Sequence[Result], now: datetime | None = None) -> None:
    """Keeps results as the runs do, at the time of the last one."""
    async with begin(pool, "probes", now=now or max(r.due_at for r in results)) as tx:
        await keep_results(tx, results)


async def roll(pool: Pool, now: datetime) -> None:
    """Makes all rollups that can be made then."""
    async with begin(pool, "probes", now=now) as tx:
        await close_periods(tx)
    for step in (roll_next, roll_late):
        is_more = True
        while is_more:
            async with begin(pool, "probes", now=now) as tx:
                is_more = await step(tx)
