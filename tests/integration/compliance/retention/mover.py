"""A process that takes a partition one step further, and dies on the way."""

import asyncio
import multiprocessing
import os
import signal
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.compliance.retention.schedule import Retention
from services.compliance.retention.vault import Vault
from shared.database import open_pool

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
KILLED = -signal.SIGKILL


@dataclass
class DyingVault(Vault):
    """Kills its process right before it is used for the ``last`` time; 0 is never."""

    last: int = 0
    used: int = 0

    async def put(self, path: str, body: bytes) -> None:
        """Writes, or dies."""
        self._count()
        await super().put(path, body)

    async def find(self, path: str) -> bytes | None:
        """Reads, or dies."""
        self._count()
        return await super().find(path)

    async def settle(self) -> None:
        """Waits for the disk, or dies."""
        self._count()
        await super().settle()

    def _count(self) -> None:
        self.used += 1
        if self.used == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Mover:
    """Where it works, by a clock that is ahead by ``later``, and before which use of the archive it dies."""

    dsn: str
    url: str
    later: timedelta
    last: int = 0

    def start(self) -> "multiprocessing.process.BaseProcess":
        """The process."""
        process = FORKS.Process(target=_move, args=(self,), daemon=True)
        process.start()
        return process

    async def advance(self) -> None:
        """One step."""
        pool = await open_pool(self.dsn, schema="compliance", application="test-mover")
        vault = DyingVault(self.url, last=self.last)
        await Retention(self.dsn, pool, vault, lambda: datetime.now(UTC) + self.later).advance()
        pool.terminate()


def _move(mover: Mover) -> None:
    asyncio.run(mover.advance())
