"""Keeps a service's background work going: what fails is logged and started again, with growing pauses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.consumer import is_passing
from shared.telemetry import log

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 15.0
STEADY_SECONDS = 3.0
LONG_SECONDS = 30.0

Work = Callable[[], Awaitable[None]]


@dataclass
class Supervisor:
    """Runs named pieces of work for ever. ``faults`` says which of them last ended badly, for readiness."""

    service: str
    faults: dict[str, str] = field(default_factory=dict)

    async def keep_running(self, name: str, work: Work) -> None:
        """Runs ``work`` again whenever it ends, until this task is cancelled."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            steady = loop.call_later(STEADY_SECONDS, self._forget_fault, name)
            try:
                await work()
            except (Exception, asyncio.CancelledError) as exc:
                # A library that cancels a future of its own looks like our end from inside; it must not be one.
                if isinstance(exc, asyncio.CancelledError) and (task is None or task.cancelling()):
                    raise
                self.faults[name] = repr(exc)
                if is_passing(exc):
                    log.warning("work.interrupted", service=self.service, work=name, reason=str(exc) or repr(exc))
                else:
                    log.error("work.failed", service=self.service, work=name, exc_info=exc)
            finally:
                steady.cancel()
            if loop.time() - began > LONG_SECONDS:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _forget_fault(self, name: str) -> None:
        if self.faults.pop(name, None) is not None:
            log.info("work.steady", service=self.service, work=name)
