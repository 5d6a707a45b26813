"""Wires a witness."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

from services.compliance.witness.alarm import CONTRADICTIONS, Alarm
from services.compliance.witness.api import witness_router
from services.compliance.witness.handlers import SIZE, Station
from services.compliance.witness.ledger import opened
from services.compliance.witness.settings import WitnessSettings
from shared import telemetry
from shared.http import problems
from shared.http.app import Health, Observe, add_operations
from shared.service import listen, serve
from shared.settings import load
from shared.supervise import Supervisor


@asynccontextmanager
async def open_witness(settings: WitnessSettings) -> AsyncIterator[ASGIApp]:
    """The witness's application, and its alarm while the block runs.

    Raises WrongSetting; LedgerUnreadable when what it remembers is not as it was written.
    """
    key, logs = settings.key(), settings.logs()
    with opened(settings.witness_state) as ledger:
        station = Station(key, logs, ledger)
        telemetry.log.info("witness.opened", key=str(key.verifier), logs=sorted(logs))
        for origin in logs:
            known = station.last(origin)
            SIZE.labels(origin).set(known.checkpoint.size if known else 0)
        async with httpx.AsyncClient() as client:
            alarm = Alarm(ledger, str(key.verifier), settings.witness_alert_url, client)
            supervisor = Supervisor("witness")
            task = asyncio.create_task(supervisor.keep_running("alarm", alarm.run))
            try:
                yield build_app(station, alarm, supervisor)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def build_app(station: Station, alarm: Alarm, supervisor: Supervisor) -> ASGIApp:
    """The application, to be served at the root."""
    app = FastAPI(title="Steward witness", openapi_url=None)
    problems.install(app)
    app.include_router(witness_router(station, alarm))

    async def ready() -> Health:
        try:
            CONTRADICTIONS.set(await asyncio.to_thread(_look, station))
        except Exception as exc:
            return Health(False, supervisor.faults | {"state": str(exc)})
        return Health(True, dict(supervisor.faults))

    add_operations(app, ready)
    app.add_middleware(Observe, service="witness")
    return app


def _look(station: Station) -> int:
    """How many contradictions there are. Raises LedgerUnreadable when a log's last checkpoint can't be read."""
    for origin in station.logs:
        station.last(origin)
    return station.ledger.contradictions


async def run(settings: WitnessSettings) -> None:
    """Runs the witness until SIGTERM or SIGINT."""
    telemetry.configure_logs(settings.log_level)
    async with open_witness(settings) as app:
        await serve({"": app}, settings, listen(settings))


def main() -> None:
    """Runs a witness alone."""
    uvloop.run(run(load(WitnessSettings)))


if __name__ == "__main__":
    main()
