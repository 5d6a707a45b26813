"""Makes one run of a kind, whoever asks for it: a replica's schedule, a suite, or an agent."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.probes.kinds.domain import Kind, Observation
from shared.telemetry import log

LATE_SECONDS = 1.0
"""How long beyond its timeout a run may take until it is given up: kinds end by themselves before that."""


@dataclass(frozen=True)
class Maker:
    """The kinds that there are here. ``place`` is what a person calls it, ``action`` how the log tells of a fault."""

    kinds: Mapping[str, Kind[Any]]
    place: str = "replica"
    action: str = "probe.broken"

    async def make(
        self, kind: str, site_id: str, settings: Mapping[str, Any], seconds: float, **told: str
    ) -> Observation:
        """What a run saw; a fault of the kind itself is a ``probe_error``, and logged with what is ``told``."""
        made = self.kinds.get(kind)
        if made is None:
            return Observation("probe_error", "kind", f"This {self.place} has no probe of the kind {kind}.")
        task = asyncio.current_task()
        try:
            async with asyncio.timeout(seconds + LATE_SECONDS):
                return await made.run_for(site_id, settings, seconds)
        except (Exception, asyncio.CancelledError) as exc:
            # A library that cancels a future of its own looks like our end from inside; it must not end the probing.
            if isinstance(exc, asyncio.CancelledError) and (task is None or task.cancelling()):
                raise
            log.error(self.action, exc_info=exc, **told)
            return Observation("probe_error", "internal", f"The probe itself is at fault: {type(exc).__name__}.")
