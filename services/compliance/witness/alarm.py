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
        """Whether all was told that is to be told; one that is not taken does not hold up the others."""
        untold = await asyncio.to_thread(self.ledger.untold)
        PENDING.set(len(untold) if self.url else 0)
        if self.url is None:
            return True
        is_all = True
        for name in untold:
            try:
                is_taken = await self._tell(self.url, name)
            except (httpx.HTTPError, TimeoutError) as exc:
                log.warning("witness.alert_failed", evidence=name, reason=repr(exc))
                return False
            is_all = is_all and is_taken
        return is_all

    async def _tell(self, url: str, name: str) -> bool:
        """Whether it was taken. Raises httpx.HTTPError and TimeoutError when nobody answers."""
        body = {"witness": self.witness} | await asyncio.to_thread(self.ledger.read_evidence, name)
        async with asyncio.timeout(POST_SECONDS), self.client.stream("POST", url, json=body) as answer:
            status = answer.status_code
        if not httpx.codes.is_success(status):
            log.warning("witness.alert_failed", evidence=name, reason=f"it answered {status}")
            return False
        await asyncio.to_thread(self.ledger.told, name)
        PENDING.dec()
        return True
