"""What maintenance knows of the fleet it has from the bus."""

from services.maintenance.fleet import store
from services.maintenance.fleet.domain import System
from shared.bus.postgres import PostgresBus
from shared.bus.protocol import Message
from shared.events.inventory import SiteChanged
from tests.integration.conftest import Run
from tests.integration.maintenance.ground import ARCHIVE, MAINTENANCE, PATCHES, WINDOWS, encode, plan, system
from tests.news import until

CONSUMED = "SELECT true FROM positions WHERE topic = $1 AND next_offset = $2"


async def test_systems_and_sites_come_from_inventory_in_any_order(run: Run, bus: PostgresBus) -> None:
    """The asset arrives before its site, and once more as a repeat; then windows and patches are possible."""
    asset = encode(system(), ARCHIVE, "north", 1)
    site = encode(SiteChanged(name="North", time_zone="Europe/Berlin", version=1), "north", "north", 2)
    async with run(**MAINTENANCE) as steward:
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 404
        async with bus.publisher("inventory") as publisher:
            await publisher.publish([Message("asset.changed", ARCHIVE, asset)] * 2)
            await until(steward.pools["maintenance"], CONSUMED, "asset.changed", 2)
            await publisher.publish([Message("site.changed", "north", site)])
            await until(steward.pools["maintenance"], CONSUMED, "site.changed", 1)
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 201
        patch = {"system_id": ARCHIVE, "to_version": "12.4", "summary": "fix"}
        assert (await steward.admin.post(PATCHES, json=patch)).json()["from_version"] == "12.3"
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM quarantine") == 0


async def test_older_version_that_comes_late_changes_nothing(run: Run) -> None:
    """A replay by hand may run beside the consumer; whoever stores last, the newer version stays."""
    async with run(**MAINTENANCE) as steward:
        pool = steward.pools["maintenance"]
        for version, name in ((2, "New name"), (1, "Old name")):
            known = System(
                id=ARCHIVE, site_id="north", name=name, state="in_service", version=version, reported_version="12.3"
            )
            async with pool.acquire() as conn:
                await store.upsert_system(conn, known)
        assert await pool.fetchval("SELECT name FROM systems") == "New name"
