"""Makes an agent's runs at their times, whatever becomes of the link, and what it is to ask once.

Times are those that the service would give: due = k·interval + hash(probe id) mod interval, by this machine's clock.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

from services.probes.agents.domain import Assignment, Brought, Errand
from services.probes.kinds.domain import Kind, Observation
from services.probes.kinds.making import Maker
from services.probes.runs.domain import Probe, left_out, next_due, slot_after, take_turn

LONGEST_NAP = 60.0
FAR = 2
"""Intervals ahead at which nothing is due, unless by a clock that has been set back since."""

Keep = Callable[[Brought], None]


@dataclass
class Roster:
    """The probes of this vantage, each made by a task of its own; ``keep`` gets what they see.

    As in the service, a target is asked one thing of a family of kinds at a time, a system stands one heavy run, and at
    most ``concurrency`` are under way.
    """

    kinds: Mapping[str, Kind[Any]]
    keep: Keep
    concurrency: int
    _errands: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _tasks: dict[str, "tuple[Assignment, asyncio.Task[None], asyncio.Event]"] = field(default_factory=dict)
    _locks: "WeakValueDictionary[str, asyncio.Lock]" = field(default_factory=WeakValueDictionary)
    _slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.concurrency)

    def follow(self, work: list[Assignment]) -> None:
        """Makes these probes from now on and no others; one that is as it was goes on undisturbed."""
        wanted = {assignment.probe_id: assignment for assignment in work}
        for probe_id, (assignment, task, _) in list(self._tasks.items()):
            if wanted.get(probe_id) != assignment:
                task.cancel()
                del self._tasks[probe_id]
        for probe_id, assignment in wanted.items():
            if probe_id not in self._tasks:
                retry = asyncio.Event()
                self._tasks[probe_id] = assignment, asyncio.create_task(self._make_runs(assignment.probe, retry)), retry

    def carry_out(self, errands: Sequence[Errand], answered: Collection[str]) -> None:
        """Asks these, each once, but for those that are ``answered``; one under way that is not among them is ended."""
        wanted = {errand.id: errand for errand in errands}
        for errand_id in self._errands.keys() - wanted.keys():
            self._errands.pop(errand_id).cancel()
        for errand_id in wanted.keys() - self._errands.keys() - set(answered):
            self._errands[errand_id] = asyncio.create_task(self._ask_once(wanted[errand_id]))

    def retry(self, probe_id: str) -> None:
        """Makes the probe's next run after its retry interval: its alert is undecided."""
        if probe_id in self._tasks:
            self._tasks[probe_id][2].set()

    async def stop(self) -> None:
        """Ends all probes; runs under way are abandoned."""
        tasks = [*self._errands.values(), *(task for _, task, _ in self._tasks.values())]
        self._errands.clear()
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make_runs(self, probe: Probe, retry: asyncio.Event) -> None:
        due_at = slot_after(probe.id, probe.interval, datetime.now(UTC))
        while True:
            await _sleep_until(due_at, asyncio.Event(), FAR * probe.interval)
            now = datetime.now(UTC)
            if due_at - now > FAR * probe.interval:
                due_at = slot_after(probe.id, probe.interval, now)
                continue
            turn = take_turn(probe, due_at, now)
            if turn.left_out:
                self.keep(Brought.of(probe.id, due_at, now, left_out(turn.left_out)))
            async with self._lock(probe), self._slots:
                retry.clear()
                started_at = datetime.now(UTC)
                seen = await self._observe(probe)
            self.keep(Brought.of(probe.id, turn.due_at, started_at, seen))
            due_at = next_due(probe, turn.due_at, is_undecided=False)
            if await _sleep_until(due_at, retry, FAR * probe.interval):
                due_at = max(next_due(probe, turn.due_at, is_undecided=True), datetime.now(UTC))

    async def _ask_once(self, errand: Errand) -> None:
        probe = errand.probe
        async with self._lock(probe), self._slots:
            started_at = datetime.now(UTC)
            if started_at >= errand.deadline:
                return
            seen = await self._observe(probe)
        self.keep(Brought.of(errand.id, started_at, started_at, seen))

    def _lock(self, probe: Probe) -> asyncio.Lock:
        place = f"heavy {probe.system_id or probe.subject}" if probe.is_heavy else f"{probe.family} {probe.subject}"
        return self._locks.setdefault(place, asyncio.Lock())

    async def _observe(self, probe: Probe) -> Observation:
        maker = Maker(self.kinds, "agent")
        seconds = probe.timeout.total_seconds()
        return await maker.make(probe.kind, probe.site_id, probe.settings, seconds, probe=probe.id)


async def _sleep_until(instant: datetime, woken: asyncio.Event, longest: timedelta) -> bool:
    """Returns at ``instant``, or, with True, when woken before; and once it is further off than ``longest``.

    Then the clock was set back meanwhile.
    """
    while 0 < (left := (instant - datetime.now(UTC)).total_seconds()) <= longest.total_seconds():
        try:
            async with asyncio.timeout(min(left, LONGEST_NAP)):
                await woken.wait()
                return True
        except TimeoutError:
            continue
    return False
