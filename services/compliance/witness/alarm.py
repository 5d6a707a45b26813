"""Tells people of a contradiction: posts the evidence to one URL until it is taken, also after a restart."""

import asyncio
from dataclasses import dataclass, field

import httpx
from prometheus_client import Gauge

from services.compliance.witness.ledger import Ledger
from shared.telemetry import log

PENDING = Gauge("steward_witness_alerts_pending", "Alerts that the alert URL has not taken yet")
CONTRADICTIONS = Gauge("steward_witness_contradictions", "Contradictions that are kept as evidence")
POST_SECONDS = 10.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0


@dataclass
class Alarm:
    """Delivers what the ledger keeps; without a URL, the log line, the metric and `/refused` must do."""

    ledger: Ledger
    witness: str
    url: str | None
    client: httpx.AsyncClient
    _rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        """Something may be there to tell."""
        self._rung.set()

    async def run(self) -> None:
        """Tells what there is and waits for more; never ends."""
        pause = FIRST_PAUSE
        while True:
            self._rung.clear()
            if await self._tell_all():
                pause = FIRST_PAUSE
                await self._rung.wait()
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _tell_all(self) -> bool:
        """Whether all was told that is to be told."""
        untold = await asyncio.to_thread(self.ledger.untold)
        PENDING.set(len(untold) if self.url else 0)
        if self.url is None:
            return True
        for name in untold:
            if not await self._tell(name):
                return False
            PENDING.dec()
        return True

    async def _tell(self, name: str) -> bool:
        assert self.url is not None  # noqa: S101 -- _tell_all asks
        body = {"witness": self.witness} | await asyncio.to_thread(self.ledger.read_evidence, name)
        try:
            async with asyncio.timeout(POST_SECONDS), self.client.stream("POST", self.url, json=body) as answer:
                taken = answer.is_success
                reason = f"it answered {answer.status_code}"
        except (httpx.HTTPError, TimeoutError) as exc:
            taken, reason = False, repr(exc)
        if taken:
            await asyncio.to_thread(self.ledger.told, name)
        else:
            log.warning("witness.alert_failed", evidence=name, reason=reason)
        return taken
