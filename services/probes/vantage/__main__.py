"""Wires an agent."""

import asyncio
import signal
from contextlib import suppress

import uvloop

from services.probes.conformance.dicom_conformance import OF_SUITES
from services.probes.kinds import KINDS
from services.probes.vantage.agent import Agent
from services.probes.vantage.link import Link
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.settings import VantageSettings
from services.probes.vantage.spool import Spool
from shared import telemetry
from shared.settings import load


async def run(settings: VantageSettings) -> None:
    """Runs the agent until SIGTERM or SIGINT."""
    telemetry.configure_logs(settings.log_level)
    link = Link(settings.agent_server, settings.agent_name, settings.agent_token, settings.agent_ca)
    spool = Spool(settings.agent_spool, settings.agent_spool_results)
    kinds = {kind.name: kind.configured(settings) for kind in (*KINDS, *OF_SUITES)}
    quarantine = Quarantine(settings.agent_spool)
    agent = Agent(link, spool, quarantine, kinds, settings.agent_refresh, settings.agent_concurrency)
    work = asyncio.create_task(agent.run())
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, work.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await work
    finally:
        await link.close()
        spool.close()


def main() -> None:
    """Runs the agent alone."""
    uvloop.run(run(load(VantageSettings)))


if __name__ == "__main__":
    main()
