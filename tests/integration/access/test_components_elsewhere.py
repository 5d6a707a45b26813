"""Components in the services that know systems and nodes: each bears with them, and takes them for neither."""

from shared.database import Pool
from shared.events.inventory import AssetRetired, ComponentFacts
from shared.transactions import begin
from tests.integration.access.group import EVERYTHING, Group
from tests.news import until

APPLIED = "SELECT coalesce(sum(next_offset), 0) >= $1 FROM positions WHERE topic = $2"
QUARANTINED = "SELECT count(*) FROM quarantine WHERE topic IN ('asset.changed', 'asset.retired')"
LISTENING = {
    "probes": ("asset.changed", "asset.retired"),
    "maintenance": ("asset.changed",),
    "backup": ("asset.changed",),
    "notifier": ("asset.changed",),
    "compliance": ("asset.changed", "asset.retired"),
}


async def caught_up(pool: Pool, topic: str, published: int) -> None:
    """Waits until a service has applied all that was published on a topic."""
    await until(pool, APPLIED, published, topic)


async def test_components_trouble_no_service(group: Group) -> None:
    """Whoever listens to asset.changed and asset.retired applies them; nobody takes a battery for a system or node."""
    steward, north = group.steward, group.ids["north"]
    battery = {"site_id": "north", "type": "battery", "name": "Battery", "system_id": north["system_id"]}
    async with steward.as_("root", *EVERYTHING) as root:
        made = (await root.post("/inventory/v1/components", json=battery)).json()
        async with begin(steward.pools["inventory"], "inventory") as tx:
            retired = AssetRetired(kind="component", name="Battery", reason="recycled")
            tx.record(retired, subject=made["id"], site_id="north")
        told = await steward.heard.until("asset.changed", lambda event: event.subject == made["id"])
        assert isinstance(told.data.component, ComponentFacts)
        await steward.heard.until("asset.retired", lambda event: event.subject == made["id"])
        for service, topics in LISTENING.items():
            for topic in topics:
                published = sum(event.type == topic for event in steward.heard.events)
                await caught_up(steward.pools[service], topic, published)
            assert await steward.pools[service].fetchval(QUARANTINED) == 0, service
        for service in ("maintenance", "backup"):
            assert await steward.pools[service].fetchval("SELECT count(*) FROM systems") == len(group.ids), service
        targets = (await root.get("/probes/v1/targets", params={"site_id": "north"})).json()["items"]
        assert made["id"] not in {target["id"] for target in targets}
        check = {"subject": made["id"], "kind": "tcp", "name": "Its card answers", "interval_seconds": 60}
        asked = await root.post("/probes/v1/checks", json=check | {"settings": {"host": "127.0.0.1", "port": 9}})
        assert asked.status_code == 201, asked.text
        name = await steward.pools["notifier"].fetchval("SELECT name FROM assets WHERE id = $1", made["id"])
        assert name == "Battery"
