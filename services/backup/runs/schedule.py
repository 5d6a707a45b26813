"""The runner: takes planned runs one by one, keeps its lease while the engine works, and tells how each ended."""

import asyncio
from dataclasses import dataclass

from services.backup.runs import handlers, store
from services.backup.runs.domain import Failure, Lease, Snapshot
from services.backup.runs.restic import Restic
from shared import telemetry
from shared.database import Pool, is_transient
from shared.telemetry import log
from shared.transactions import begin
from shared.waking import listening

SERVICE = "backup"
FALLBACK_SECONDS = 5.0
RENEWALS_PER_LEASE = 3
TRIES_PER_LEASE = 30


@dataclass(frozen=True)
class Runner:
    """One of any number of runners, here and on other machines with the same repositories."""

    pool: Pool
    dsn: str
    engine: Restic
    lease_seconds: float

    async def run(self) -> None:
        """Works off planned runs for ever; a run whose runner died is taken up when its lease ends."""
        async with listening(self.dsn, SERVICE, store.CHANNEL) as listener:
            while True:
                listener.woken.clear()
                if not await self.work_off_one():
                    await listener.wait(FALLBACK_SECONDS)

    async def work_off_one(self) -> bool:
        """Carries out the next run, if there is one, and tells how it ended."""
        async with begin(self.pool, SERVICE) as tx:
            lease = await handlers.lease_run(tx, self.lease_seconds)
        if lease is None:
            return False
        log.info("run.started", service=SERVICE, run=lease.run.id, attempt=lease.run.attempts)
        with telemetry.span("backup run", lease.traceparent, {"run": lease.run.id}):
            outcome = await self._carry_out(lease)
            ended = outcome is not None and await self._finish(lease, outcome)
        log.info("run.ended" if ended else "run.lease_lost", service=SERVICE, run=lease.run.id)
        return True

    async def _carry_out(self, lease: Lease) -> Snapshot | Failure | None:
        """The engine's outcome, or None when the lease was lost first. The engine has ended when this ends."""
        working = asyncio.create_task(self.engine.back_up(lease.run, lease.repository_known))
        keeping = asyncio.create_task(self._keep_lease(lease))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            return working.result() if working.done() else keeping.result()
        except asyncio.CancelledError:
            await _stop(working, keeping)
            await self._give_back(lease)
            raise
        finally:
            await _stop(working, keeping)

    async def _keep_lease(self, lease: Lease) -> None:
        """Renews the lease and returns when it is lost.

        It is renewed after each third, so a database that is away for less than about two thirds of it loses nothing.
        """
        loop = asyncio.get_running_loop()
        renewed, pause = loop.time(), self.lease_seconds / RENEWALS_PER_LEASE
        while loop.time() - renewed < self.lease_seconds:
            await asyncio.sleep(pause)
            try:
                async with self.pool.acquire() as conn:
                    if not await store.extend_lease(conn, lease, self.lease_seconds):
                        return
                renewed, pause = loop.time(), self.lease_seconds / RENEWALS_PER_LEASE
            except Exception as exc:
                if not is_transient(exc):
                    raise
                pause = self.lease_seconds / TRIES_PER_LEASE
                log.warning("run.lease_not_renewed", service=SERVICE, run=lease.run.id, error=repr(exc))

    async def _give_back(self, lease: Lease) -> None:
        """Lets the next runner start at once. Without a database the run waits for its lease to end instead."""
        try:
            async with self.pool.acquire() as conn:
                await store.extend_lease(conn, lease, 0)
        except Exception as exc:
            log.warning("run.not_given_back", service=SERVICE, run=lease.run.id, error=repr(exc))

    async def _finish(self, lease: Lease, outcome: Snapshot | Failure) -> bool:
        actor, flow = lease.run.requested_by, lease.correlation_id
        async with begin(self.pool, SERVICE, actor=actor, correlation_id=flow) as tx:
            return await handlers.finish_run(tx, lease, outcome)


async def _stop(*tasks: "asyncio.Task[Snapshot | Failure] | asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
