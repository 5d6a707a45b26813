"""The agent: what it has to do, what it saw, and the link over which both go.

What is seen goes to the spool first and is forgotten there when the service has it, so that it is brought at least
once and in its order; the service takes it once.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from services.probes.agents.domain import Assignments, Brought
from services.probes.kinds.domain import Kind
from services.probes.suites.domain import ITEM
from services.probes.vantage.link import Link, LinkDown, NotTaken
from services.probes.vantage.spool import Kept, Spool
from services.probes.vantage.work import Roster
from shared.telemetry import log

A_DELIVERY = 200
"""Results brought at a time, so that those of a long silence don't come in one piece."""

DELIVERY_BYTES = 512 * 1024
"""How much of them: the service takes no more than 1 MiB."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
HELD_IN_MEMORY = 10_000
DISK_PAUSE = 5.0


class Agent:
    """One vantage. It asks for work, and tells that it is alive, every ``refresh_seconds``.

    It makes at most ``concurrency`` runs at the same time.
    """

    def __init__(
        self, link: Link, spool: Spool, kinds: Mapping[str, Kind[Any]], refresh_seconds: float, concurrency: int
    ) -> None:
        self._link = link
        self._spool = spool
        self._refresh_seconds = refresh_seconds
        self._roster = Roster(kinds, self._see, concurrency)
        self._fresh: deque[Kept] = deque()
        self._writing: list[Kept] = []
        self._seen = asyncio.Event()
        self._kept = asyncio.Event()
        self._lost = 0
        self._at_once = A_DELIVERY

    async def run(self) -> None:
        """Works until it is cancelled; with the work of last time when there is no link yet, but for errands.

        What is to be asked once may have been asked: the service alone knows whether it still is to be.
        """
        if (known := self._spool.work) is not None:
            with suppress(ValidationError):
                self._roster.follow(Assignments.model_validate_json(known).items)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._refresh())
                tasks.create_task(self._keep())
                tasks.create_task(self._bring())
        finally:
            await self._roster.stop()
            with suppress(sqlite3.OperationalError):
                self._write([*self._writing, *self._fresh])

    def _see(self, result: Brought) -> None:
        """Takes what a run saw. When the disk takes nothing and memory is full, the oldest is lost, and counted."""
        try:
            errand = result.probe_id if result.probe_id.startswith(ITEM) else None
            self._fresh.append(Kept(result.model_dump_json(exclude_none=True).encode(), errand))
        except ValueError as exc:
            log.error("agent.not_written", probe=result.probe_id, exc_info=exc)
            self._lost += 1
        if len(self._fresh) > HELD_IN_MEMORY:
            self._fresh.popleft()
            self._lost += 1
        self._seen.set()

    async def _refresh(self) -> None:
        while True:
            try:
                if (work := await self._link.ask_for_work()) is not None:
                    self._roster.follow(work.items)
                    self._roster.carry_out(work.errands, self._spool.answered)
                    self._spool.keep_work(work.model_dump_json().encode())
                    log.info("agent.assigned", probes=len(work.items), errands=len(work.errands))
            except (LinkDown, sqlite3.OperationalError) as exc:
                log.warning("agent.not_refreshed", reason=str(exc))
            await asyncio.sleep(self._refresh_seconds)

    async def _keep(self) -> None:
        while True:
            await self._seen.wait()
            self._seen.clear()
            self._writing += self._fresh
            self._fresh.clear()
            try:
                await asyncio.to_thread(self._write, self._writing)
            except sqlite3.OperationalError as exc:
                log.error("agent.disk", reason=str(exc), held=len(self._writing))
                self._lost += max(0, len(self._writing) - HELD_IN_MEMORY)
                del self._writing[:-HELD_IN_MEMORY]
                await asyncio.sleep(DISK_PAUSE)
                self._seen.set()
                continue
            self._writing.clear()
            self._kept.set()

    def _write(self, results: Sequence[Kept]) -> None:
        self._spool.add(results)
        if self._lost:
            self._spool.count_lost(self._lost)
            self._lost = 0

    async def _bring(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._kept.clear()
            try:
                while await self._bring_some():
                    pause = FIRST_PAUSE
            except (LinkDown, sqlite3.OperationalError) as exc:
                log.warning("agent.not_brought", reason=str(exc), waiting=self._spool.waiting)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._refresh_seconds):
                    await self._kept.wait()

    async def _bring_some(self) -> bool:
        """Brings the oldest results, or none to say that it is alive; whether there may be more."""
        batch = self._spool.oldest(self._at_once, DELIVERY_BYTES)
        bodies = [body for _, body in batch]
        left = self._spool.waiting - len(batch)
        try:
            receipt = await self._link.bring(bodies, left, self._spool.lost)
        except NotTaken as exc:
            return self._give_up(batch, exc)
        self._at_once = A_DELIVERY
        for refused in receipt.refused:
            log.warning("agent.refused", reason=refused.reason, result=bodies[refused.index].decode()[:200])
        if batch:
            await asyncio.to_thread(self._spool.remove, batch[-1][0])
        for probe_id in receipt.retry:
            self._roster.retry(probe_id)
        return left > 0

    def _give_up(self, batch: Sequence[tuple[int, bytes]], why: NotTaken) -> bool:
        """Brings one at a time, to find the result that can't be taken, and lets go of that one alone."""
        if not batch:
            raise why
        if len(batch) == 1:
            log.error("agent.lost", reason=str(why), result=batch[0][1].decode()[:500])
            self._spool.remove(batch[0][0])
            self._spool.count_lost(1)
        self._at_once = 1
        return True
