"""The console before a real service."""

from pathlib import Path

import httpx

from services.console.__main__ import build_app
from services.console.settings import ConsoleSettings
from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from shared.http import mount_services
from shared.issuer import Issuer
from tests.integration.conftest import Run

NORTH = {"id": "north", "name": "Northfield <General> Hospital", "time_zone": "Europe/Berlin"}
SOUTH = {"id": "south", "name": "Southbridge Hospital", "time_zone": "Europe/Lisbon"}


async def test_visitor_sees_his_own_sites_alone(run: Run, tmp_path: Path) -> None:
    """Inventory judges the visitor's token itself; the services that do not run here are named on the page."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        for site in (NORTH, SOUTH):
            assert (await steward.admin.post("/inventory/v1/sites", json=site)).status_code == 201
        issuer = Issuer(tmp_path)
        settings = ConsoleSettings(oidc_jwks=str(issuer.jwks_file), console_api="http://steward")
        app = mount_services({"console": build_app(settings, steward.http._transport)})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://steward") as browser:
            token = {"token": issuer.token("bob", ["viewer:north"])}
            html = (await browser.post("/console/sign-in", data=token, follow_redirects=True)).text
        assert "Northfield &lt;General&gt; Hospital" in html
        assert "Southbridge" not in html
        assert "Probes answered 404: its alerts are missing here." in html
