"""A running inventory with two sites."""

from collections.abc import AsyncIterator

import pytest

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from tests.harness import Harness
from tests.integration.conftest import Run

SITES = [
    {"id": "north", "name": "Northfield General Hospital", "time_zone": "Europe/Berlin"},
    {"id": "south", "name": "Southmoor Children's Hospital", "time_zone": "Europe/London"},
]


@pytest.fixture
async def steward(run: Run) -> AsyncIterator[Harness]:
    """Inventory, with the sites north and south in it."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        for site in SITES:
            assert (await steward.admin.post("/inventory/v1/sites", json=site)).status_code == 201
        yield steward
