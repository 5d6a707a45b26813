"""Targets come and go as inventory's events say."""

import asyncio

from shared.events.inventory import AssetChanged
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import (
    DAY,
    address_of,
    listening_node,
    probes,
    tell_node,
    tell_retired,
    tell_system,
    until_not_probed,
)
from tests.news import until

TARGETS = "/probes/v1/targets"
RESULTS = "/probes/v1/results"


async def test_told_node_is_probed(run: Run, speak: Speak) -> None:
    """asset.changed alone makes results flow, on the bus and over HTTP."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            event = await steward.heard.until("probe.result", lambda e: e.data.outcome == "ok")
            assert (event.subject, event.site_id, event.actor) == (asset_id, "north", "service:probes")
            assert event.data.kind == "dicom-echo"
            assert event.data.status == "0x0000"
            assert {"tcp", "association", "dimse", "release"} <= set(event.data.phases)
            [target] = (await steward.admin.get(TARGETS)).json()["items"]
            assert (target["id"], target["probed"], target["reason"]) == (asset_id, True, None)
            assert (await steward.admin.get(TARGETS, params={"site_id": "south"})).json()["items"] == []
            listed = (await steward.admin.get(RESULTS, params={"subject": asset_id})).json()["items"]
            assert event.id in [result["id"] for result in listed]


async def test_target_carries_what_its_probe_saw_last(run: Run, speak: Speak) -> None:
    """Nothing before the first run; then the last result, as it stands in the list of results."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            silent_id = await tell_node(inventory, node, state="isolated")
            await steward.heard.until("probe.result", lambda e: e.subject == asset_id)
            pool = steward.pools["probes"]
            await until(pool, "SELECT count(*) = 2 FROM assets")
            targets = {target["id"]: target for target in (await steward.admin.get(TARGETS)).json()["items"]}
            [result] = (await steward.admin.get(RESULTS)).json()["items"]
            assert result["outcome"] == "ok"
            assert targets[asset_id]["last"] == [result]
            assert targets[silent_id]["last"] == []
            await asyncio.to_thread(node.stop)
            await pool.execute("UPDATE probes SET next_due = now(); NOTIFY steward_probes")
            await steward.heard.until("probe.result", lambda e: e.data.outcome == "failed")
            [target] = [t for t in (await steward.admin.get(TARGETS)).json()["items"] if t["id"] == asset_id]
            assert [result["outcome"] for result in target["last"]] == ["failed"]


async def test_results_come_in_pages_the_latest_first(run: Run, speak: Speak) -> None:
    """Following ``next`` shows each result once."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            seen: set[str] = set()
            for _ in range(3):
                seen.add((await steward.heard.until("probe.result", lambda e: e.id not in seen)).id)
            await tell_retired(inventory, asset_id)
            await until_not_probed(steward.pools["probes"])
        page = (await steward.admin.get(RESULTS, params={"limit": 2})).json()
        ids = [result["id"] for result in page["items"]]
        while page["next"]:
            page = (await steward.admin.get(RESULTS, params={"limit": 2, "cursor": page["next"]})).json()
            ids += [result["id"] for result in page["items"]]
        assert ids == sorted(set(ids), reverse=True)
        assert seen <= set(ids)


async def test_retired_node_is_no_longer_probed(run: Run, speak: Speak) -> None:
    """asset.retired takes the probe away for good, also from news that arrive late."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            await steward.heard.until("probe.result")
            await tell_retired(inventory, asset_id)
            await until_not_probed(steward.pools["probes"])
            await tell_node(inventory, node, asset_id, version=2)
            other = await tell_node(inventory, node)
            await steward.heard.until("probe.result", lambda e: e.subject == other)
            page = (await steward.admin.get(TARGETS)).json()
            shown = {target["id"]: target["reason"] for target in page["items"]}
            assert shown == {asset_id: "the node is retired", other: None}


async def test_nodes_follow_the_state_of_their_system(run: Run, speak: Speak) -> None:
    """An isolated system's nodes are not probed, whatever their own state."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            system_id = await tell_system(inventory)
            asset_id = await tell_node(inventory, node, system_id=system_id)
            await steward.heard.until("probe.result", lambda e: e.subject == asset_id)
            await tell_system(inventory, system_id, state="isolated", version=2)
            await until_not_probed(steward.pools["probes"])
            [target] = (await steward.admin.get(TARGETS)).json()["items"]
            assert target["reason"] == "its system is isolated"


async def test_old_versions_do_not_win(run: Run, speak: Speak) -> None:
    """A version that arrives late changes nothing."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node, state="isolated", version=3)
            await tell_node(inventory, node, asset_id, state="in_service", version=2)
            other = await tell_node(inventory, node)
            await steward.heard.until("probe.result", lambda e: e.subject == other)
            shown = {target["id"]: target for target in (await steward.admin.get(TARGETS)).json()["items"]}
            assert (shown[asset_id]["version"], shown[asset_id]["probed"]) == (3, False)


async def test_moved_node_is_asked_at_its_new_address(run: Run, speak: Speak) -> None:
    """The next result after the change comes from there."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            wrong = address_of(node).model_copy(update={"ae_title": "ELSEWHERE"})
            changed = AssetChanged(kind="node", name="pacs", state="in_service", version=1, dicom=wrong)
            asset_id = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"
            await inventory.say(changed, subject=asset_id, site_id="north")
            rejected = await steward.heard.until("probe.result")
            assert rejected.data.failure == "rejected_ae_title"
            assert list(rejected.data.rejection) == [1, 1, 7]
            await tell_node(inventory, node, asset_id, version=2)
            await steward.heard.until("probe.result", lambda e: e.data.outcome == "ok")


async def test_what_belongs_to_other_sites_is_not_shown(run: Run, speak: Speak) -> None:
    """Targets, results and alerts are those of the caller's sites."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await tell_node(inventory, node)
            await steward.heard.until("probe.result")
        await steward.heard.until("alert.raised")
        south, north = steward.as_("bob", "viewer:south"), steward.as_("ann", "viewer:north")
        for path in (TARGETS, RESULTS, "/probes/v1/alerts"):
            assert (await south.get(path)).json() == {"items": [], "next": None}
            assert (await north.get(path)).json()["items"]
        assert (await north.get(RESULTS, params={"subject": "pacs"})).status_code == 422
