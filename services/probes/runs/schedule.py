"""Makes the runs that are due."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Histogram
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from services.probes.kinds.domain import Kind, Observation
from services.probes.runs import store
from services.probes.runs.domain import Finished, Run
from services.probes.runs.handlers import RunRules, claim_runs, finish_runs, keep_cadence
from services.probes.settings import ProbesSettings
from shared.database import Connection, Pool, is_transient
from shared.telemetry import log
from shared.transactions import begin
from shared.waking import listening

SERVICE = "probes"
BATCH = 100
SHORTEST_SLEEP = 0.005
LONGEST_SLEEP = 30.0
LATE_SECONDS = 1.0
STORE_SECONDS = 5.0
ATTEMPTS = 6

RUNS = Counter("steward_probe_runs_total", "Runs of probes", ["kind", "outcome"])
LAG = Histogram(
    "steward_probe_lag_seconds", "From a run's due time to its start", buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)
)


@dataclass(frozen=True)
class Runner:
    """Makes runs, many at a time; any number of replicas share the probes of one database.

    The network is never touched inside a transaction: a run is claimed, made, and its result stored.
    """

    pool: Pool
    settings: ProbesSettings
    kinds: Sequence[Kind[Any]]
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Works until the database is lost; runs under way are then abandoned and made again when their leases end."""
        results: asyncio.Queue[Finished] = asyncio.Queue()
        async with begin(self.pool, SERVICE) as tx:
            await keep_cadence(tx, self.settings.cadence)
        try:
            async with (
                listening(self.settings.database, SERVICE, store.CHANNEL, self._news) as listener,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(self._store(results))
                while True:
                    self._news.clear()
                    for run in await self._claim():
                        task = tasks.create_task(self._make(run, results))
                        self._running.add(task)
                        task.add_done_callback(self._running.discard)
                    await listener.wait(await self._seconds_until_work(listener.conn))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    @property
    def _rules(self) -> RunRules:
        return RunRules(self.settings.policy, self.settings.probe_vantage)

    async def _claim(self) -> list[Run]:
        free = self.settings.probe_concurrency - len(self._running)
        if free <= 0:
            return []
        async with begin(self.pool, SERVICE) as tx:
            return await claim_runs(tx, self._rules, min(free, BATCH), LATE_SECONDS + STORE_SECONDS)

    async def _seconds_until_work(self, conn: Connection) -> float:
        """Until the next run is due; when all slots are taken, until news of a free one, or a while."""
        is_full = len(self._running) >= self.settings.probe_concurrency
        seconds = None if is_full else await store.select_seconds_until_due(conn)
        # What is due this instant may be locked by a replica that is about to take it.
        return LONGEST_SLEEP if seconds is None else min(max(seconds, SHORTEST_SLEEP), LONGEST_SLEEP)

    async def _make(self, run: Run, results: asyncio.Queue[Finished]) -> None:
        results.put_nowait(Finished(run, await self._observe(run)))

    async def _observe(self, run: Run) -> Observation:
        kind = next((kind for kind in self.kinds if kind.name == run.probe.kind), None)
        if kind is None:
            return Observation("probe_error", "kind", f"This replica has no probe of the kind {run.probe.kind}.")
        try:
            seconds = run.probe.timeout.total_seconds()
            async with asyncio.timeout(seconds + LATE_SECONDS):
                return await kind.run(kind.settings.model_validate(run.probe.settings), seconds)
        except Exception as exc:
            log.error("probe.broken", probe=run.probe.id, exc_info=exc)
            return Observation("probe_error", "internal", f"The probe itself is at fault: {type(exc).__name__}.")

    async def _store(self, results: asyncio.Queue[Finished]) -> None:
        retries = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception(is_transient),
            reraise=True,
        )
        while True:
            finished = [await results.get()]
            while not results.empty() and len(finished) < BATCH:
                finished.append(results.get_nowait())
            await retries(self._finish, finished)
            self._news.set()

    async def _finish(self, finished: Sequence[Finished]) -> None:
        async with begin(self.pool, SERVICE) as tx:
            await finish_runs(tx, finished, self._rules)
        for one in finished:
            RUNS.labels(one.run.probe.kind, one.observation.outcome).inc()
            LAG.observe(max(0.0, (one.run.started_at - one.run.due_at).total_seconds()))
