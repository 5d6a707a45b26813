"""Wires inventory."""

import uvloop

from services.inventory.assets import consumer
from services.inventory.assets.api import router as assets
from services.inventory.endoflife.api import router as ends_of_life
from services.inventory.endoflife.schedule import EndOfLifeSchedule
from services.inventory.groups.api import router as groups
from services.inventory.history.api import router as history
from services.inventory.lifecycle.api import router as lifecycle
from services.inventory.people.api import router as people
from services.inventory.settings import InventorySettings
from services.inventory.sites.api import router as sites
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory over its database."""
    return Service(
        name="inventory",
        routers=[groups, sites, assets, lifecycle, people, history, ends_of_life],
        handlers=[consumer.HANDLERS],
        work={"ends of life": EndOfLifeSchedule(pool).run},
    )


def main() -> None:
    """Runs inventory alone."""
    settings = load(InventorySettings)
    uvloop.run(run_alone("inventory", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
