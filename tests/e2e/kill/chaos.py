"""The one who kills: processes, the broker and database connections; and a relay that comes back as a zombie."""

import asyncio
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import asyncpg

from tests.e2e.kill import worker
from tests.e2e.kill.worker import SERVICE, Scene
from tests.parts.kafka import KafkaBroker

ROLES: dict[str, Callable[[Scene], None]] = {
    "producer": worker.produce,
    "relay-1": worker.relay,
    "relay-2": worker.relay,
    "consumer-1": worker.consume,
    "consumer-2": worker.consume,
}
PROGRESS_SECONDS = 3.0
Act = Callable[[], Awaitable[None]]


@dataclass
class Chaos:
    """Runs the processes of a scene, and does to them what the seed says."""

    scene: Scene
    conn: "asyncpg.Connection[asyncpg.Record]"
    broker: KafkaBroker | None
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    _processes: dict[str, BaseProcess] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload([worker.__name__])

    def start_all(self) -> None:
        """Starts one process of each role."""
        for role in ROLES:
            self._start(role)

    def stop_all(self) -> None:
        """Kills what still runs."""
        for process in self._processes.values():
            process.kill()
            process.join()

    def plan(self, kills: int, broker_kills: int, cuts: int, zombies: int) -> list[Act]:
        """What will be done, in the seed's order."""
        acts: list[Act] = [*[self.kill] * kills, *[self.cut] * cuts, *[self.raise_zombie] * zombies]
        if self.broker is not None:
            acts += [self.kill_broker] * broker_kills
        self.rng.shuffle(acts)
        return acts

    async def kill(self) -> None:
        """SIGKILL to a random process, and a new one in its place."""
        role = self.rng.choice(list(ROLES))
        process = self._processes[role]
        process.kill()
        process.join()
        self.done[f"killed {role}"] += 1
        self._start(role)

    async def cut(self) -> None:
        """Cuts about half of all connections to this test's database."""
        await self.conn.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"""
        )
        self.done["connections cut"] += 1

    async def kill_broker(self) -> None:
        """SIGKILL to Kafka, which then comes back on its data."""
        assert self.broker is not None
        await asyncio.to_thread(self.broker.kill)
        await asyncio.to_thread(self.broker.restart)
        self.done["broker killed"] += 1

    async def raise_zombie(self) -> None:
        """Stops the one relay, puts another in its place, and wakes it while it believes to be in charge."""
        zombie, successor = "relay-1", "relay-2"
        self._processes[successor].kill()
        self._processes[successor].join()
        await self.progress(100)
        pid = self._processes[zombie].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            await self.conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
                f"steward-relay-{SERVICE}",
            )
            self._start(successor)
            await self.progress(200)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.done["zombie raised"] += 1

    async def progress(self, events: int) -> None:
        """Waits until that many more events were applied, or until it has waited long enough."""
        start = await self.applied()
        for _ in range(int(PROGRESS_SECONDS / 0.05)):
            if await self.applied() >= min(start + events, self.scene.total):
                return
            await asyncio.sleep(0.05)

    async def applied(self) -> int:
        """How many effects there are."""
        count: int = await self.conn.fetchval("SELECT count(*) FROM applied")
        return count

    def _start(self, role: str) -> None:
        process = self._forks.Process(target=ROLES[role], args=(self.scene,), daemon=True, name=role)
        process.start()
        self._processes[role] = process
