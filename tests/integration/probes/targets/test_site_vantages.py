"""Whose work the probes are that nodes get by themselves, where a site lies behind a firewall."""

from typing import Any

from services.probes.dicom import Peer
from shared.database import Pool
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import DAY, listening_node, probes, tell_node
from tests.news import until

UNREACHABLE = Peer("127.0.0.1", 1, "NOBODY")


async def vantages_of(pool: Pool) -> dict[str, str | None]:
    """By node who makes its probe; nodes without one are left out."""
    return {row["subject"]: row["vantage"] for row in await pool.fetch("SELECT subject, vantage FROM probes")}


def started(**vantages: str | None) -> dict[str, Any]:
    """The service, so set; only new and changed probes are due."""
    return probes(probe_interval=DAY, alert_failures=1, probe_site_vantages=vantages)


async def test_nodes_of_a_site_are_left_to_its_agent_or_to_nobody(run: Run, speak: Speak) -> None:
    """What the centre can't reach it does not ask, so nothing is raised of it; other sites are asked as ever."""
    async with run(**started(south="south-dmz", west=None)) as steward, speak("inventory") as inventory:
        south = await tell_node(inventory, UNREACHABLE, site_id="south")
        await tell_node(inventory, UNREACHABLE, site_id="west")
        with listening_node() as node:
            north = await tell_node(inventory, node)
            await steward.heard.until("probe.result", lambda e: e.subject == north)
        assert await vantages_of(steward.pools["probes"]) == {south: "south-dmz", north: None}
        assert {e.subject for e in steward.heard.events if e.type == "probe.result"} == {north}
        targets = {one["site_id"]: one for one in (await steward.admin.get("/probes/v1/targets")).json()["items"]}
        assert {site: one["probed"] for site, one in targets.items()} == {"north": True, "south": True, "west": False}
        assert "asked nothing by themselves" in targets["west"]["reason"]
        async with steward.as_("agent", "service:south") as agent:
            [item] = (await agent.get("/probes/v1/agents/south-dmz/assignments")).json()["items"]
        assert (item["subject"], item["kind"]) == (south, "dicom-echo")


async def test_changed_setting_takes_effect_at_the_next_start(run: Run, speak: Speak) -> None:
    """Probes move to the agent, end with their alerts, and come back; nothing has to be told again."""
    async with run(**started()) as steward, speak("inventory") as inventory:
        south = await tell_node(inventory, UNREACHABLE, site_id="south")
        north = await tell_node(inventory, UNREACHABLE)
        await tell_node(inventory, UNREACHABLE, state="isolated")
        await steward.heard.until("alert.raised", lambda e: e.subject == south)
        await steward.heard.until("alert.raised", lambda e: e.subject == north)
    count = "SELECT count(*) = $1 FROM probes WHERE vantage IS NOT DISTINCT FROM $2 AND subject = $3"
    async with run(**started(south="south-dmz")) as steward:
        await until(steward.pools["probes"], count, 1, "south-dmz", south)
        assert await vantages_of(steward.pools["probes"]) == {south: "south-dmz", north: None}
    async with run(**started(south=None)) as steward:
        resolved = await steward.heard.until("alert.resolved", lambda e: e.subject == south)
        assert "no such probes" in resolved.data.summary
        await until(steward.pools["probes"], count, 0, "south-dmz", south)
        assert await vantages_of(steward.pools["probes"]) == {north: None}
    async with run(**started()) as steward:
        await until(steward.pools["probes"], count, 1, None, south)
        assert await vantages_of(steward.pools["probes"]) == {south: None, north: None}
