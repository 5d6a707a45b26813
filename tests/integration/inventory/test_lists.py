"""Lists do what was asked, or say that they can't."""

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from tests.harness import Harness
from tests.integration.conftest import Run
from tests.integration.inventory.requests import ASSETS, register_system


async def test_a_filter_that_does_not_exist_is_refused_rather_than_left_out(run: Run) -> None:
    """Who mistypes `site_id` is told which there are, and not shown the nodes of all sites."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        refused = await steward.admin.get("/inventory/v1/nodes", params={"site": "north"})
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert error["field"] == "site"
        assert error["example"] == "one of cursor, limit, site_id, state, system_id"
        known = await steward.admin.get("/inventory/v1/nodes", params={"site_id": "north", "limit": "5"})
        assert known.status_code == 200
        assert (await steward.http.get("/inventory/v1/nodes", params={"site": "north"})).status_code == 401


async def test_assets_are_read_by_their_ids_as_far_as_one_may_see_them(steward: Harness) -> None:
    """Of all kinds at once; what lies elsewhere is left out as if it were not there."""
    north, south = [await register_system(steward, site_id=site) for site in ("north", "south")]
    asked = {"id": [north["id"], south["id"]]}
    assert len((await steward.admin.get(ASSETS, params=asked)).json()["items"]) == 2
    seen = (await steward.as_("bob", "viewer:north").get(ASSETS, params=asked)).json()["items"]
    assert [asset["id"] for asset in seen] == [north["id"]]
