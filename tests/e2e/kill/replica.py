"""A replica of probes that can be killed: the runner of the service over a kind that takes its time."""

import asyncio
from typing import Any, Self

from pydantic import BaseModel

from services.probes.kinds.domain import Configuration, Kind, Observation
from services.probes.runs.schedule import SERVICE, Runner
from services.probes.settings import ProbesSettings
from shared import telemetry
from shared.database import close_pool, open_pool
from shared.supervise import Supervisor


class KnockSettings(BaseModel):
    """How long a knock takes."""

    seconds: float


class Knock(Kind[KnockSettings]):
    """Asks nobody, and takes as long as it is told."""

    name = "knock"
    summary = "Takes its time."
    settings = KnockSettings

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """As it is."""
        return cls()

    async def run(self, settings: KnockSettings, timeout: float) -> Observation:
        """Always well."""
        await asyncio.sleep(settings.seconds)
        return Observation("ok", None, "somebody opened")


def run_replica(settings: dict[str, Any]) -> None:
    """Runs for ever."""
    telemetry.configure_logs("error")
    asyncio.run(_run(ProbesSettings(**settings)))


async def _run(settings: ProbesSettings) -> None:
    pool = await open_pool(settings.database, schema=SERVICE, application="replica")
    try:
        runner = Runner(pool, settings, [Knock()])
        await Supervisor(SERVICE).keep_running("runs", runner.run)
    finally:
        await close_pool(pool)
