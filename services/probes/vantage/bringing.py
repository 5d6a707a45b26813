"""Brings what is in the spool, in its order; what the service can't take is found and put aside, and holds up no other.

A service that is away or ill gets the same results again, for as long as it takes. It is told from a result that it
fails on by an empty delivery, which such a result does not keep it from taking.
"""

import asyncio
from collections.abc import Callable, Sequence

from services.probes.agents.domain import Receipt
from services.probes.vantage.link import Broken, Link, LinkDown, NotTaken
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.spool import Spool
from shared.telemetry import log

A_DELIVERY = 200
"""Results brought at a time, so that those of a long silence don't come in one piece."""

DELIVERY_BYTES = 512 * 1024
"""How much of them: the service takes no more than 1 MiB."""

MOST_FAILURES = 5
"""How often the service may fail on one result alone before that is put aside."""

NEEDLESS = frozenset({"repeated", "unknown"})
"""Reasons of refusal that tell that nothing is missed: the service has the result, or the check is no more."""

Batch = Sequence[tuple[int, bytes]]


class Bringer:
    """Brings results over the link; ``retry`` is told of the probes that are wanted again soon."""

    def __init__(self, link: Link, spool: Spool, quarantine: Quarantine, retry: Callable[[str], None]) -> None:
        self._link = link
        self._spool = spool
        self._quarantine = quarantine
        self._retry = retry
        self._at_once = A_DELIVERY
        self._failures = 0

    async def bring_some(self) -> bool:
        """Brings the oldest results, or none to say that the agent is alive; whether there may be more at once.

        Raises LinkDown, and sqlite3.OperationalError or OSError for a full disk, after which it is wanted again.
        """
        batch = self._spool.oldest(self._at_once, DELIVERY_BYTES)
        try:
            receipt = await self._deliver(batch)
        except NotTaken as exc:
            await self._narrow(batch, exc)
            return True
        except Broken as exc:
            if not batch:
                raise
            await self._deliver([])
            await self._fail(batch, exc)
            return True
        await self._close(batch, receipt)
        return self._spool.waiting > 0

    async def _deliver(self, batch: Batch) -> Receipt:
        left = self._spool.waiting - len(batch)
        bodies = [body for _, body in batch]
        return await self._link.bring(bodies, left, self._spool.lost, self._quarantine.count)

    async def _close(self, batch: Batch, receipt: Receipt) -> None:
        for refused in receipt.refused:
            number, body = batch[refused.index]
            log.warning("agent.refused", reason=refused.reason, result=body.decode()[:200])
            if refused.reason not in NEEDLESS:
                await asyncio.to_thread(self._quarantine.put, number, body, refused.reason)
        if batch:
            await asyncio.to_thread(self._spool.remove, batch[-1][0])
        self._at_once, self._failures = min(2 * self._at_once, A_DELIVERY), 0
        for probe_id in receipt.retry:
            self._retry(probe_id)

    async def _fail(self, batch: Batch, why: Broken) -> None:
        """The service takes nothing, and fails on these: one of them is the reason, or it has failed by chance."""
        if len(batch) == 1:
            self._failures += 1
            if self._failures < MOST_FAILURES:
                raise why
        await self._narrow(batch, why)
        if len(batch) == 1:
            # A service that fails on every result must not have them all put aside at once.
            raise why

    async def _narrow(self, batch: Batch, why: LinkDown) -> None:
        """Brings half of them next, or, of a single one, puts that aside."""
        if not batch:
            raise why
        if len(batch) > 1:
            self._at_once = len(batch) // 2
            return
        [(number, body)] = batch
        kept_as = await asyncio.to_thread(self._quarantine.put, number, body, str(why))
        log.error("agent.quarantined", reason=str(why), kept_as=str(kept_as), result=body.decode()[:500])
        await asyncio.to_thread(self._spool.remove, number)
        self._failures = 0
