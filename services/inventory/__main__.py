"""Wires inventory."""

import uvloop

from services.inventory.assets import consumer
from services.inventory.assets.api import router as assets
from services.inventory.contracts.api import router as contracts
from services.inventory.contracts.schedule import ContractSchedule
from services.inventory.documents.api import documents_router
from services.inventory.documents.upload import Limits
from services.inventory.endoflife.api import router as ends_of_life
from services.inventory.endoflife.schedule import EndOfLifeSchedule
from services.inventory.groups.api import router as groups
from services.inventory.history.api import router as history
from services.inventory.lifecycle.api import router as lifecycle
from services.inventory.people.api import router as people
from services.inventory.settings import InventorySettings
from services.inventory.sites.api import router as sites
from services.inventory.vendors.api import router as vendors
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory over its database."""
    documents = documents_router(Limits(settings.inventory_document_bytes), {})
    return Service(
        name="inventory",
        routers=[groups, sites, assets, lifecycle, people, vendors, contracts, history, documents, ends_of_life],
        handlers=[consumer.HANDLERS],
        work={"ends of life": EndOfLifeSchedule(pool).run, "contracts": ContractSchedule(pool).run},
    )


def main() -> None:
    """Runs inventory alone."""
    settings = load(InventorySettings)
    uvloop.run(run_alone("inventory", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
