"""Wires maintenance."""

import uvloop

from services.maintenance.changes.api import router as patches
from services.maintenance.fleet import consumer as fleet
from services.maintenance.settings import MaintenanceSettings
from services.maintenance.windows.api import router as windows
from services.maintenance.windows.schedule import WindowSchedule
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: MaintenanceSettings) -> Service:
    """Maintenance over its database."""
    return Service(
        name="maintenance",
        routers=[windows, patches],
        handlers=[fleet.HANDLERS],
        work={"windows": WindowSchedule(pool, settings.database).run},
    )


def main() -> None:
    """Runs maintenance alone."""
    settings = load(MaintenanceSettings)
    uvloop.run(run_alone("maintenance", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
