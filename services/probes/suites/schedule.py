"""The runner: begins runs of suites, runs their items side by side, and ends what has no time left."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from prometheus_client import Counter
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from services.probes.kinds.domain import Kind, Observation
from services.probes.kinds.making import LATE_SECONDS, Maker
from services.probes.suites import handlers, store
from services.probes.suites.domain import MOST_ATTEMPTS, Leased, Seen
from services.probes.suites.report import seen_of
from shared.database import Pool, is_transient
from shared.telemetry import log
from shared.transactions import begin
from shared.waking import listening

SERVICE = "probes"
CONCURRENCY = 8
STORE_SECONDS = 9.0
SHORTEST_SLEEP = 0.01
LONGEST_SLEEP = 30.0
ATTEMPTS = 6

ITEMS = Counter("steward_suite_items_total", "Items of suites that were run", ["kind", "outcome"])


@dataclass(frozen=True)
class SuiteRunner:
    """Runs suites; any number of replicas share the items of one database, and none is ended twice.

    The network is never touched inside a transaction: an item is leased, run, and what came of it stored.
    """

    pool: Pool
    dsn: str
    kinds: Mapping[str, Kind[Any]]
    vantages: Mapping[str, str | None] = field(default_factory=dict)
    slack: float = LATE_SECONDS + STORE_SECONDS
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Works until the database is lost; items under way are then run again when their leases end."""
        try:
            async with (
                listening(self.dsn, SERVICE, store.CHANNEL, self._news) as listener,
                asyncio.TaskGroup() as tasks,
            ):
                while True:
                    self._news.clear()
                    await self._begin_and_end_runs()
                    for leased in await self._lease():
                        task = tasks.create_task(self._carry_out(leased))
                        self._running.add(task)
                        task.add_done_callback(self._running.discard)
                    seconds = await store.select_seconds_until_due(listener.conn)
                    await listener.wait(_bounded(seconds))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _begin_and_end_runs(self) -> None:
        begin_next_run = partial(handlers.begin_next_run, vantages=self.vantages)
        for advance in (handlers.end_overdue_run, begin_next_run):
            moved = True
            while moved:
                async with begin(self.pool, SERVICE) as tx:
                    moved = await advance(tx)

    async def _lease(self) -> Sequence[Leased]:
        free = CONCURRENCY - len(self._running)
        if free <= 0:
            return []
        async with begin(self.pool, SERVICE) as tx:
            return await handlers.lease_items(tx, self.slack, free)

    async def _carry_out(self, leased: Leased) -> None:
        started_at = datetime.now(UTC)
        try:
            observation = await self._observe(leased)
        except asyncio.CancelledError:
            await self._give_back(leased)
            raise
        retries = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception(is_transient),
            reraise=True,
        )
        await retries(self._finish, leased, seen_of(leased, observation, started_at))
        self._news.set()

    async def _finish(self, leased: Leased, seen: Seen) -> None:
        async with begin(self.pool, SERVICE) as tx:
            is_ours = await handlers.finish_item(tx, leased, seen)
        ITEMS.labels(leased.item.kind, seen.observation.outcome).inc()
        log.info("suite.item_ended" if is_ours else "suite.lease_lost", run=leased.run_id, item=leased.item.name)

    async def _observe(self, leased: Leased) -> Observation:
        item = leased.item
        if item.attempts > MOST_ATTEMPTS:
            detail = f"It was begun {MOST_ATTEMPTS} times, and whoever ran it ended before it did."
            return Observation("probe_error", "internal", detail)
        maker = Maker(self.kinds, action="suite.broken")
        told = {"run": leased.run_id, "item": item.name}
        return await maker.make(item.kind, leased.site_id, item.settings, item.timeout_seconds, **told)

    async def _give_back(self, leased: Leased) -> None:
        """Lets another runner start at once. Without a database the item waits for its lease to end instead."""
        try:
            async with self.pool.acquire() as conn:
                await handlers.give_back(conn, leased)
        except Exception as exc:
            log.warning("suite.not_given_back", run=leased.run_id, item=leased.item.name, error=repr(exc))


def _bounded(seconds: float | None) -> float:
    # What is due this instant may be locked by a replica that is about to take it.
    return LONGEST_SLEEP if seconds is None else min(max(seconds, SHORTEST_SLEEP), LONGEST_SLEEP)
