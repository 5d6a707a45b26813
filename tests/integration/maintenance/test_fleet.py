"""What maintenance knows of the fleet it has from the bus."""

import asyncio

from shared.bus.postgres import PostgresBus
from shared.bus.protocol import Message
from shared.database import connect
from shared.events.inventory import SiteChanged
from tests.integration.conftest import Run
from tests.integration.maintenance.ground import ARCHIVE, MAINTENANCE, PATCHES, WINDOWS, encode, plan, system

TELL_AT_COMMIT = """
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_notify('consumed', NEW.topic || ' ' || NEW.next_offset); RETURN NEW; END $$;
    CREATE TRIGGER tell AFTER INSERT OR UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION tell();
    LISTEN consumed;
"""


async def test_systems_and_sites_come_from_inventory_in_any_order(run: Run, bus: PostgresBus, database: str) -> None:
    """The asset arrives before its site, and once more as a repeat; then windows and patches are possible."""
    asset = encode(system(), ARCHIVE, "north", 1)
    site = encode(SiteChanged(name="North", time_zone="Europe/Berlin", version=1), "north", "north", 2)
    consumed: asyncio.Queue[str] = asyncio.Queue()
    async with run(**MAINTENANCE) as steward:
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 404
        watch = await connect(database, schema="maintenance", application="test")
        await watch.add_listener("consumed", lambda *told: consumed.put_nowait(str(told[-1])))
        await watch.execute(TELL_AT_COMMIT)
        async with bus.publisher("inventory") as publisher, asyncio.timeout(20):
            await publisher.publish([Message("asset.changed", ARCHIVE, asset)] * 2)
            while await consumed.get() != "asset.changed 2":
                continue
            await publisher.publish([Message("site.changed", "north", site)])
            assert await consumed.get() == "site.changed 1"
        await watch.close()
        assert (await steward.admin.post(WINDOWS, json=plan())).status_code == 201
        patch = {"system_id": ARCHIVE, "to_version": "12.4", "summary": "fix"}
        assert (await steward.admin.post(PATCHES, json=patch)).json()["from_version"] == "12.3"
        assert await steward.pools["maintenance"].fetchval("SELECT count(*) FROM quarantine") == 0
