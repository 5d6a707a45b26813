"""Wires compliance."""

import gc
from datetime import timedelta

import httpx
import uvloop

from services.compliance.access.api import router as access
from services.compliance.checkpoints.publish import Publisher, Unsigned
from services.compliance.checkpoints.witnesses import Witnesses
from services.compliance.export.api import export_router
from services.compliance.export.api import fhir_router as fhir
from services.compliance.log.api import router as log
from services.compliance.log.writer import Writer
from services.compliance.retention.api import moving_router
from services.compliance.retention.api import router as retention
from services.compliance.retention.schedule import Retention
from services.compliance.retention.vault import Vault
from services.compliance.search.api import router as search
from services.compliance.settings import ComplianceSettings
from shared.bus import Bus
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: ComplianceSettings) -> Service:
    """Compliance over its database; it hears every event there is."""
    keyring, path = settings.keyring(), settings.log_published
    client = httpx.AsyncClient()
    witnesses = Witnesses(settings.witnesses(), client)
    publisher = Unsigned() if keyring is None or path is None else Publisher(pool, keyring, path, witnesses)

    def writer(bus: Bus) -> Writer:
        every = timedelta(seconds=settings.log_checkpoint_interval)
        return Writer(settings.database, pool, bus, every, publisher)

    keys = [*(keyring.keys if keyring else ()), *(witness.key for witness in settings.witnesses())]
    exports, moving = export_router([str(key) for key in keys]), moving_router(settings.log_archive)
    routers = [access, log, search, exports, fhir, retention, moving]
    work = {"checkpoints": publisher.run}
    if settings.log_archive is not None:
        vault = Vault(settings.log_archive, settings.log_archive_endpoint)
        work["retention"] = Retention(settings.database, pool, vault).run
    return Service(name="compliance", routers=routers, reader=writer, work=work, close=client.aclose)


def collect_seldom() -> None:
    """A batch of the log makes some ten thousand objects that live until it is written.

    With its own threshold the collector would look through them, and through all that was imported, for a fifth of the
    writer's time, and in the midst of answers.
    """
    gc.freeze()
    gc.set_threshold(10_000)


def main() -> None:
    """Runs compliance alone."""
    collect_seldom()
    settings = load(ComplianceSettings)
    uvloop.run(run_alone("compliance", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
