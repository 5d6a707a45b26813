"""Wires inventory."""

import asyncio

from services.inventory.settings import InventorySettings
from services.inventory.sites.api import router as sites
from shared.database import Pool
from shared.service import Service, run_alone
from shared.settings import load


def build(pool: Pool, settings: InventorySettings) -> Service:
    """Inventory over its database."""
    return Service(name="inventory", routers=[sites])


def main() -> None:
    """Runs inventory alone."""
    settings = load(InventorySettings)
    asyncio.run(run_alone("inventory", lambda pool: build(pool, settings), settings))


if __name__ == "__main__":
    main()
