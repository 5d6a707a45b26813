"""Makes the runs that are due: claims them a moment ahead, starts each at its time, and stores results in batches."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter, Histogram
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from services.probes.kinds.domain import Kind, Observation
from services.probes.kinds.making import Maker
from services.probes.runs import store
from services.probes.runs.domain import Ended, Finished, Run
from services.probes.runs.handlers import (
    Caps,
    RunRules,
    align_schedule,
    claim_runs,
    find_seconds_until_due,
    finish_runs,
    release_runs,
    wait_for_turn,
)
from services.probes.settings import ProbesSettings
from services.probes.targets.handlers import align_nodes
from shared.database import Pool, is_transient
from shared.telemetry import log
from shared.transactions import begin
from shared.waking import listening

SERVICE = "probes"
AHEAD_SECONDS = 1.0
CLAIM_SECONDS = 0.5
STORE_SECONDS = 0.15
BATCH = 500
LONGEST_SLEEP = 30.0
SPARE_SECONDS = 6.0
RELEASE_SECONDS = 2.0
JUMP = timedelta(seconds=5)
ATTEMPTS = 6
NOT_STORED = Observation("probe_error", "internal", "What the probe saw could not be stored; the log says why.")

RUNS = Counter("steward_probe_runs_total", "Runs of probes", ["kind", "outcome"])
LAG = Histogram(
    "steward_probe_lag_seconds",
    "From a run's due time to its start",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 60),
)


@dataclass(frozen=True)
class Clock:
    """The database's time at one instant of the loop's. The loop's never jumps."""

    instant: datetime
    loop_time: float

    def at(self, loop_time: float) -> datetime:
        """The database's time when the loop's is ``loop_time``."""
        return self.instant + timedelta(seconds=loop_time - self.loop_time)

    def loop_time_of(self, instant: datetime) -> float:
        """The loop's time when the database's is ``instant``."""
        return self.loop_time + (instant - self.instant).total_seconds()


@dataclass
class Runner:
    """Makes runs, many at a time; any number of replicas share the probes of one database.

    The network is never touched inside a transaction: a run is claimed, made, and its result stored.
    """

    pool: Pool
    settings: ProbesSettings
    kinds: Sequence[Kind[Any]]
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _clock: Clock | None = None
    _looks_again_at: float = 0.0

    async def run(self) -> None:
        """Works until the database is lost, or cancelled; runs under way are then left to other replicas."""
        async with begin(self.pool, SERVICE) as tx:
            await align_schedule(tx, self.settings.cadence)
            await align_nodes(tx, self.settings.defaults)
        try:
            async with (
                listening(self.settings.database, SERVICE, store.CHANNEL, self._news) as listener,
                self._at_work() as work,
            ):
                while True:
                    self._news.clear()
                    seconds = await self._claim(work)
                    self._looks_again_at = asyncio.get_running_loop().time() + seconds
                    await listener.wait(seconds)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator["Work"]:
        work = Work({kind.name: kind for kind in self.kinds})
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._store(work))
                try:
                    yield work
                finally:
                    await work.abandon()
        finally:
            await self._release(work)

    @property
    def _rules(self) -> RunRules:
        return RunRules(self.settings.policy, self.settings.probe_vantage)

    async def _claim(self, work: "Work") -> float:
        """Claims what is due soon and returns for how many seconds there is nothing more to claim, but for news."""
        free = self.settings.probe_concurrency - len(work.claimed)
        if free <= 0:
            return LONGEST_SLEEP
        caps = Caps(
            free,
            self.settings.probe_site_concurrency,
            timedelta(seconds=AHEAD_SECONDS),
            timedelta(seconds=SPARE_SECONDS),
        )
        async with begin(self.pool, SERVICE) as tx:
            clock = Clock(await wait_for_turn(tx), asyncio.get_running_loop().time())
            if self._was_set_back(clock):
                await align_schedule(tx, self.settings.cadence)
            runs = await claim_runs(tx, clock.instant, self._rules, caps)
            seconds = await find_seconds_until_due(tx)
        self._clock = clock
        for run in runs:
            work.plan(run, clock)
        if len(work.claimed) >= self.settings.probe_concurrency or seconds is None:
            return LONGEST_SLEEP
        pause = _pause()
        return min(max(pause, seconds - pause), LONGEST_SLEEP)

    def _was_set_back(self, clock: Clock) -> bool:
        return self._clock is not None and clock.instant < self._clock.at(clock.loop_time) - JUMP

    async def _store(self, work: "Work") -> None:
        while True:
            finished = await work.take_finished(BATCH)
            self._look_again(work, await self._keep(finished))
            work.forget(finished)
            # A transaction has a price of its own: under a steady load, gather results rather than pay it for each.
            await asyncio.sleep(STORE_SECONDS)

    async def _keep(self, finished: Sequence[Finished]) -> list[Ended]:
        """Stores what can be stored. A result that the database will never take must not take others with it."""
        retries = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(multiplier=0.1, max=2),
            retry=retry_if_exception(is_transient),
            reraise=True,
        )
        try:
            return await retries(self._finish, finished)
        except Exception as exc:
            if is_transient(exc):
                raise
            log.error("probe.not_stored", probes=[one.run.probe.id for one in finished], exc_info=exc)
        if len(finished) > 1:
            return [ended for one in finished for ended in await self._keep([one])]
        # Where not even this can be stored, the run is made again once its lease has ended.
        is_new = finished[0].observation is not NOT_STORED
        return await self._keep([replace(finished[0], observation=NOT_STORED)]) if is_new else []

    async def _finish(self, finished: Sequence[Finished]) -> list[Ended]:
        async with begin(self.pool, SERVICE) as tx:
            ended = await finish_runs(tx, finished, self._rules)
        for one in finished:
            RUNS.labels(one.run.probe.kind, one.observation.outcome).inc()
            LAG.observe(one.run.lag.total_seconds())
        return ended

    def _look_again(self, work: "Work", ended: Sequence[Ended]) -> None:
        """Has the claiming look again where slots are free now, and before anything is due that has ended."""
        assert self._clock is not None  # noqa: S101 -- what has ended was claimed
        if len(work.claimed) >= self.settings.probe_concurrency:
            self._news.set()
        elif ended:
            at = self._clock.loop_time_of(min(one.next_due for one in ended)) - _pause()
            if at < self._looks_again_at:
                self._looks_again_at = at
                asyncio.get_running_loop().call_at(at, self._news.set)

    async def _release(self, work: "Work") -> None:
        with suppress(Exception):
            async with asyncio.timeout(RELEASE_SECONDS), begin(self.pool, SERVICE) as tx:
                await release_runs(tx, {run.lease for run in work.claimed.values()})


class Work:
    """The runs of this replica that are claimed and not stored yet."""

    def __init__(self, kinds: Mapping[str, Kind[Any]]) -> None:
        self.claimed: dict[tuple[str, str], Run] = {}
        self._maker = Maker(kinds)
        self._loop = asyncio.get_running_loop()
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: asyncio.Queue[Finished] = asyncio.Queue()

    def plan(self, run: Run, clock: Clock) -> None:
        """Has the run start at its due time, or at once when that has passed."""
        key = _key(run)
        self.claimed[key] = run
        at = max(clock.loop_time_of(run.due_at), self._loop.time())
        self._timers[key] = self._loop.call_at(at, self._start, run, clock)

    async def take_finished(self, most: int) -> list[Finished]:
        """Waits for results and returns what there is, at most so many."""
        finished = [await self._finished.get()]
        while not self._finished.empty() and len(finished) < most:
            finished.append(self._finished.get_nowait())
        return finished

    def forget(self, finished: Sequence[Finished]) -> None:
        """These are stored."""
        for one in finished:
            self.claimed.pop(_key(one.run), None)

    async def abandon(self) -> None:
        """Starts nothing more and ends what is under way."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, run: Run, clock: Clock) -> None:
        del self._timers[_key(run)]
        started = replace(run, started_at=clock.at(self._loop.time()))
        task = self._loop.create_task(self._make(started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(self, run: Run) -> None:
        self._finished.put_nowait(Finished(run, await self._observe(run)))

    async def _observe(self, run: Run) -> Observation:
        probe = run.probe
        seconds = probe.timeout.total_seconds()
        return await self._maker.make(probe.kind, probe.site_id, probe.settings, seconds, probe=probe.id)


def _pause() -> float:
    """Replicas that looked in step would leave all runs to the same one of them."""
    return CLAIM_SECONDS * random.uniform(0.4, 1)  # noqa: S311 -- it spreads, and guards nothing


def _key(run: Run) -> tuple[str, str]:
    return run.probe.id, run.lease
