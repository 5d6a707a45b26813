"""Alerts over real nodes that go away and come back, in maintenance windows and outside."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.probes.__main__ import build
from services.probes.settings import ProbesSettings
from shared.bus.postgres import PostgresBus
from shared.events.maintenance import WindowCancelled, WindowEnded, WindowScheduled, WindowStarted
from shared.events.probes import ProbeResult
from shared.service import open_service
from tests.harness import Harness
from tests.integration.conftest import Run, Speak, settings_for
from tests.integration.probes.fleet import (
    FAST,
    listening_node,
    probes,
    tell_node,
    tell_retired,
    tell_system,
    window_facts,
)
from tests.news import until

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


async def test_two_replicas_raise_one_alert_and_resolve_it_once(
    run: Run, speak: Speak, database: str, bus: PostgresBus, tmp_path: Path
) -> None:
    """Whichever of them makes each run."""
    second = settings_for(ProbesSettings, "probes", database, tmp_path, **FAST | {"probe_vantage": "second"})
    async with (
        run(**probes()) as steward,
        open_service("probes", lambda pool: build(pool, second), second, bus),
        speak("inventory") as inventory,
    ):
        with listening_node() as node:
            await asyncio.to_thread(node.stop)
            asset_id = await tell_node(inventory, node)
            await steward.heard.until("alert.raised")
            await heard_results(steward, "failed", 6)
            await asyncio.to_thread(node.start)
            resolved = await steward.heard.until("alert.resolved")
            await heard_results(steward, "ok", 3)
            told = [e.type for e in steward.heard.events if e.type in ("alert.raised", "alert.resolved")]
            assert told == ["alert.raised", "alert.resolved"]
            vantages = {e.data.vantage for e in steward.heard.events if isinstance(e.data, ProbeResult)}
            steps = (await steward.admin.get("/probes/v1/transitions", params={"subject": asset_id})).json()["items"]
            assert [step["what"] for step in reversed(steps)][:4] == ["pending", "raised", "recovering", "resolved"]
            path = f"{ALERTS}/{resolved.data.alert_id}/transitions"
            steps = (await steward.admin.get(path)).json()["items"]
            assert [step["what"] for step in steps] == ["resolved", "recovering", "raised"]
            assert vantages <= {"first", "second"}


async def test_an_alert_is_acknowledged_until_it_is_resolved(run: Run, speak: Speak) -> None:
    """By whom and with what words is shown and is an event; what is over can't be acknowledged."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await asyncio.to_thread(node.stop)
            await tell_node(inventory, node)
            alert_id = (await steward.heard.until("alert.raised")).data.alert_id
            path = f"{ALERTS}/{alert_id}/acknowledgement"
            alice = steward.as_("alice", "operator:north")
            assert (await steward.as_("eve", "operator:south").post(path, json={"comment": "mine"})).status_code == 404
            assert (await steward.as_("vic", "viewer:north").post(path, json={"comment": "mine"})).status_code == 403
            assert (await alice.post(path, json={"comment": ""})).status_code == 422
            shown = (await alice.post(path, json={"comment": "The vendor is on the way."})).json()
            assert (shown["acknowledged_by"], shown["acknowledgement"]) == ("alice", "The vendor is on the way.")
            event = await steward.heard.until("alert.transitioned", lambda e: e.data.what == "acknowledged")
            assert (event.actor, event.data.acknowledged_by, event.data.alert_id) == ("alice", "alice", alert_id)
            soon = (datetime.now(UTC) + timedelta(milliseconds=50)).isoformat()
            await alice.post(path, json={"comment": "until then", "until": soon})
            await steward.heard.until("alert.transitioned", lambda e: e.data.what == "unacknowledged")
            assert (await alice.get(f"{ALERTS}/{alert_id}")).json()["acknowledged_by"] is None
            await alice.post(path, json={"comment": "again"})
            await asyncio.to_thread(node.start)
            await steward.heard.until("alert.resolved")
            assert (await alice.get(f"{ALERTS}/{alert_id}")).json()["acknowledged_by"] is None
            assert (await alice.post(path, json={"comment": "too late"})).status_code == 409


async def test_what_is_at_another_site_does_not_exist(run: Run, speak: Speak) -> None:
    """Neither its alerts, nor their steps, nor where its checks stand."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            await asyncio.to_thread(node.stop)
            await tell_node(inventory, node)
            alert_id = (await steward.heard.until("alert.raised")).data.alert_id
            near, far = steward.as_("vic", "viewer:north"), steward.as_("eve", "viewer:south")
            for path in (ALERTS, "/probes/v1/transitions", "/probes/v1/standings"):
                assert (await near.get(path)).json()["items"] != []
                assert (await far.get(path)).json()["items"] == []
            for path in (f"{ALERTS}/{alert_id}", f"{ALERTS}/{alert_id}/transitions"):
                assert (await near.get(path)).status_code == 200
                assert (await far.get(path)).status_code == 404


async def test_behind_a_host_that_is_down_a_check_raises_nothing_until_the_host_is_back(run: Run, speak: Speak) -> None:
    """Then what still fails fires, as the one alert that it is."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as host, listening_node() as archive:
            await asyncio.to_thread(host.stop)
            host_id = await tell_node(inventory, host, name="north-host")
            archive_id = await tell_system(inventory)
            await steward.heard.until("alert.raised", lambda e: e.subject == host_id)
            await until(steward.pools["probes"], "SELECT true FROM assets WHERE id = $1", archive_id)
            await asyncio.to_thread(archive.stop)
            draft = {
                "subject": archive_id,
                "kind": "dicom-echo",
                "name": "the archive answers",
                "settings": {"host": archive.host, "port": archive.port, "ae_title": archive.ae_title},
                "interval_seconds": 2,
                "retry_interval_seconds": 1,
                "timeout_seconds": 1,
                "depends_on": [host_id],
            }
            assert (await steward.admin.post("/probes/v1/checks", json=draft)).status_code == 201
            kept = await steward.heard.until("alert.transitioned", lambda e: e.data.what == "suppressed")
            assert (kept.subject, kept.data.suppressed_by) == (archive_id, host_id)
            assert kept.data.summary == "north-host is down; nothing is raised for what lies behind it."
            [standing] = (await steward.admin.get("/probes/v1/standings", params={"phase": "pending"})).json()["items"]
            assert (standing["subject"], standing["suppressed_by"]) == (archive_id, host_id)
            await asyncio.to_thread(host.start)
            await steward.heard.until("alert.transitioned", lambda e: e.data.what == "released")
            alert = await steward.heard.until("alert.raised", lambda e: e.subject == archive_id)
            assert alert.data.check == "the archive answers"
            assert raised(steward) == 2


async def test_checks_of_an_agent_that_is_gone_become_unknown_and_its_vantage_is_told(run: Run, speak: Speak) -> None:
    """No alert is raised on the target: nobody knows how it is."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            archive_id = await tell_system(inventory)
            await until(steward.pools["probes"], "SELECT true FROM assets WHERE id = $1", archive_id)
            draft = {
                "subject": archive_id,
                "kind": "dicom-echo",
                "name": "the archive answers in the DMZ",
                "settings": {"host": node.host, "port": node.port, "ae_title": node.ae_title},
                "interval_seconds": 1,
                "timeout_seconds": 0.8,
                "vantage": "north-dmz",
            }
            assert (await steward.admin.post("/probes/v1/checks", json=draft)).status_code == 201
            lost = await steward.heard.until("alert.transitioned", lambda e: e.data.what == "unknown")
            assert (lost.subject, lost.data.alert_id) == (archive_id, None)
            alert = await steward.heard.until("alert.raised")
            assert (alert.subject, alert.site_id, alert.data.check) == ("vantage:north-dmz", "north", "vantage")
            assert raised(steward) == 1
