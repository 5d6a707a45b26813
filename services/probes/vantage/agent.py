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
from services.probes.vantage.bringing import Bringer
from services.probes.vantage.link import Link, LinkDown
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.spool import Kept, Spool
from services.probes.vantage.work import Roster
from shared.telemetry import log
from shared.waking import wait_at_most

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30
HELD_IN_MEMORY = 10_000
DISK_PAUSE = 5.0


class Agent:
    """One vantage. It asks for work, and tells that it is alive, every ``refresh_seconds``; earlier when work is new.

    It makes at most ``concurrency`` runs at the same time. After a first failure to bring what it saw it waits
    ``pause_seconds``, and after each more twice as long, up to thirty times.
    """

    def __init__(
        self,
        link: Link,
        spool: Spool,
        quarantine: Quarantine,
        kinds: Mapping[str, Kind[Any]],
        refresh_seconds: float,
        concurrency: int,
        pause_seconds: float = FIRST_PAUSE,
    ) -> None:
        self._link = link
        self._spool = spool
        self._refresh_seconds = refresh_seconds
        self._pause_seconds = pause_seconds
        self._roster = Roster(kinds, self._see, concurrency)
        self._fresh: deque[Kept] = deque()
        self._writing: list[Kept] = []
        self._seen = asyncio.Event()
        self._kept = asyncio.Event()
        self._lost = 0
        self._bringer = Bringer(link, spool, quarantine, self._roster.retry)

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
            self._link.news.clear()
            try:
                if (work := await self._link.ask_for_work()) is not None:
                    self._roster.follow(work.items)
                    self._roster.carry_out(work.errands, self._spool.answered)
                    self._spool.keep_work(work.model_dump_json().encode())
                    log.info("agent.assigned", probes=len(work.items), errands=len(work.errands))
            except (LinkDown, sqlite3.OperationalError) as exc:
                log.warning("agent.not_refreshed", reason=str(exc))
            await wait_at_most(self._link.news, self._refresh_seconds)

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
        pause = self._pause_seconds
        while True:
            self._kept.clear()
            try:
                while await self._bringer.bring_some():
                    pause = self._pause_seconds
            except (LinkDown, sqlite3.OperationalError, OSError) as exc:
                log.warning("agent.not_brought", reason=str(exc), waiting=self._spool.waiting)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE * self._pause_seconds)
                continue
            await wait_at_most(self._kept, self._refresh_seconds)
