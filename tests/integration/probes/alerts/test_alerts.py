"""Alerts over real nodes that go away and come back, in maintenance windows and outside."""

import asyncio

from shared.events.maintenance import WindowCancelled, WindowEnded, WindowScheduled, WindowStarted
from tests.harness import Harness
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import listening_node, probes, tell_node, tell_retired, tell_system, window_facts

ALERTS = "/probes/v1/alerts"


def raised(steward: Harness) -> int:
    """How many alerts were raised so far."""
    return sum(event.type == "alert.raised" for event in steward.heard.events)


async def heard_results(steward: Harness, outcome: str, count: int, window_id: str | None = None) -> None:
    """Waits for that many further results of that outcome, in that window."""
    seen = {event.id for event in steward.heard.events}
    for _ in range(count):
        event = await steward.heard.until(
            "probe.result",
            lambda e: e.id not in seen and e.data.outcome == outcome and e.data.window_id == window_id,
        )
        seen.add(event.id)


async def test_stopped_node_raises_and_started_node_resolves(run: Run, speak: Speak) -> None:
    """Both events join the flow of the result that caused them, and name it as their cause."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            asset_id = await tell_node(inventory, node)
            await heard_results(steward, "ok", 1)
            await asyncio.to_thread(node.stop)
            alert = await steward.heard.until("alert.raised")
            assert (alert.subject, alert.site_id, alert.data.check) == (asset_id, "north", "dicom-echo")
            assert (alert.data.severity, alert.data.asset_name) == ("critical", "north-pacs")
            assert "refused" in alert.data.summary
            cause = await steward.heard.until("probe.result", lambda e: e.id == alert.causation_id)
            assert cause.correlation_id == alert.correlation_id
            [shown] = (await steward.admin.get(ALERTS, params={"open": True})).json()["items"]
            assert (shown["id"], shown["subject"]) == (alert.data.alert_id, asset_id)
            await asyncio.to_thread(node.start)
            resolved = await steward.heard.until("alert.resolved")
            assert resolved.data.alert_id == alert.data.alert_id
            cause = await steward.heard.until("probe.result", lambda e: e.id == resolved.causation_id)
            assert cause.data.outcome == "ok"
            assert (await steward.admin.get(ALERTS, params={"open": True})).json()["items"] == []
            [past] = (await steward.admin.get(ALERTS, params={"open": False})).json()["items"]
            assert past["resolution"] == resolved.data.summary
            assert raised(steward) == 1


async def test_nothing_is_raised_in_a_window_and_what_persists_fires_after_it(run: Run, speak: Speak) -> None:
    """Probing goes on in the window; ended early, it holds back for the grace and no longer."""
    async with run(**probes()) as steward, speak("inventory") as inventory, speak("maintenance") as maintenance:
        with listening_node() as node:
            system_id = await tell_system(inventory)
            facts = window_facts(system_id)
            await maintenance.say(WindowScheduled(**facts), subject="north", site_id="north")
            await maintenance.say(WindowStarted(**facts), subject="north", site_id="north")
            asset_id = await tell_node(inventory, node, system_id=system_id)
            await heard_results(steward, "ok", 1, facts["window_id"])
            await asyncio.to_thread(node.stop)
            await heard_results(steward, "failed", 5, facts["window_id"])
            assert raised(steward) == 0
            await maintenance.say(WindowEnded(**facts), subject="north", site_id="north")
            alert = await steward.heard.until("alert.raised")
            assert (alert.subject, alert.data.persisted_past_window) == (asset_id, True)
            assert alert.data.system_id == system_id
            ended = await steward.heard.until("window.ended")
            assert (alert.time - ended.time).total_seconds() >= 0.2


async def test_recovery_in_a_window_is_told(run: Run, speak: Speak) -> None:
    """An alert from before the window is resolved while it is open."""
    async with run(**probes()) as steward, speak("inventory") as inventory, speak("maintenance") as maintenance:
        with listening_node() as node:
            system_id = await tell_system(inventory)
            await asyncio.to_thread(node.stop)
            await tell_node(inventory, node, system_id=system_id)
            alert = await steward.heard.until("alert.raised")
            facts = window_facts(system_id)
            await maintenance.say(WindowScheduled(**facts), subject="north", site_id="north")
            await heard_results(steward, "failed", 1, facts["window_id"])
            await asyncio.to_thread(node.start)
            resolved = await steward.heard.until("alert.resolved")
            assert resolved.data.alert_id == alert.data.alert_id
            assert raised(steward) == 1


async def test_window_of_another_system_and_a_cancelled_window_hold_nothing_back(run: Run, speak: Speak) -> None:
    """Also when the cancellation arrives before the plan."""
    async with run(**probes()) as steward, speak("inventory") as inventory, speak("maintenance") as maintenance:
        with listening_node() as node:
            system_id = await tell_system(inventory)
            other, facts = window_facts(await tell_system(inventory)), window_facts(system_id)
            await maintenance.say(WindowScheduled(**other), subject="north", site_id="north")
            cancelled = WindowCancelled(**facts | {"revision": 1, "cancellation_reason": "not needed"})
            await maintenance.say(cancelled, subject="north", site_id="north")
            await maintenance.say(WindowScheduled(**facts), subject="north", site_id="north")
            await steward.heard.until("window.scheduled", lambda e: e.data.window_id == facts["window_id"])
            await asyncio.to_thread(node.stop)
            await tell_node(inventory, node, system_id=system_id)
            alert = await steward.heard.until("alert.raised")
            assert not alert.data.persisted_past_window


async def test_retiring_a_node_closes_its_alert(run: Run, speak: Speak) -> None:
    """The resolution says that it was retired, in the flow of the retirement."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await asyncio.to_thread(node.stop)
            asset_id = await tell_node(inventory, node)
            await steward.heard.until("alert.raised")
            await tell_retired(inventory, asset_id)
            resolved = await steward.heard.until("alert.resolved")
            assert resolved.data.summary == "It is no longer probed: the node is retired."
            retired = await steward.heard.until("asset.retired")
            assert (resolved.causation_id, resolved.correlation_id) == (retired.id, retired.correlation_id)
            assert await steward.pools["probes"].fetchval("SELECT count(*) FROM alert_states") == 0
