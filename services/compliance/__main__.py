"""Wires compliance."""

import uvloop

from services.compliance.access.api import router as access
from services.compliance.log.api import router as log
from services.compliance.log.consumer import BATCH_HANDLER
from services.compliance.search.api import router as search
from services.compliance.settings import ComplianceSettings
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: ComplianceSettings) -> Service:
    """Compliance over its database; it hears every event there is."""
    return Service(name="compliance", routers=[log, search, access], batch_handler=BATCH_HANDLER)


def main() -> None:
    """Runs compliance alone."""
    settings = load(ComplianceSettings)
    uvloop.run(run_alone("compliance", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
