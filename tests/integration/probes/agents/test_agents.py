"""An agent makes the checks of its vantage, and what it saw comes once and in order, whatever becomes of the link."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from services.probes.agents.domain import is_catching_up
from shared.events.probes import ProbeResult
from tests.harness import Harness, Voice
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run, Speak
from tests.integration.probes.agents.vantage import VANTAGE, Gate, Watched, agent_at, gate_to
from tests.integration.probes.fleet import DAY, SITE, listening_node, probes, tell_node
from tests.news import until

PATH = f"/probes/v1/agents/{VANTAGE}"


@dataclass
class Stage:
    """Probes that run, behind a gate, with a voice of inventory."""

    steward: Harness
    inventory: Voice
    gate: Gate
    url: str
    folder: Path

    async def check(self, node: Any, **more: Any) -> str:
        """Makes a check of the vantage on a node, and returns its probe's id."""
        subject = await tell_node(self.inventory, node)
        await until(self.steward.pools["probes"], "SELECT count(*) = 1 FROM assets WHERE id = $1", subject)
        draft = {
            "subject": subject,
            "kind": "dicom-echo",
            "name": f"echo from the DMZ {subject}",
            "settings": {"host": node.host, "port": node.port, "ae_title": node.ae_title},
            "vantage": VANTAGE,
            "interval_seconds": 1,
            "timeout_seconds": 0.8,
            **more,
        }
        answer = await self.steward.admin.post("/probes/v1/checks", json=draft)
        assert answer.status_code == 201, answer.text
        return f"dicom-echo:{answer.json()['id']}"

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Watched]:
        """Runs the agent; gives its spool."""
        async with agent_at(self.url, self.steward, self.folder) as spool:
            yield spool

    def seen(self, probe_id: str) -> list[ProbeResult]:
        """The results of a probe that were heard on the bus."""
        data = [event.data for event in self.steward.heard.events]
        return [one for one in data if isinstance(one, ProbeResult) and one.probe_id == probe_id]

    def whole(self, probe_id: str) -> bool:
        """Whether what was heard of a probe has every second from the first to the last, each once, in order."""
        due = [one.due_at for one in self.seen(probe_id)]
        return due == [due[0] + timedelta(seconds=number) for number in range(len(due))]


@pytest.fixture
async def stage(run: Run, speak: Speak, tmp_path: Path) -> AsyncIterator[Stage]:
    """Probes behind a gate."""
    async with run(**probes()) as steward, speak("inventory") as inventory:
        gate = gate_to(steward)
        async with serving(gate) as url:
            yield Stage(steward, inventory, gate, url, tmp_path)


async def test_an_agent_makes_the_checks_of_its_vantage_and_of_no_other(stage: Stage) -> None:
    """The service leaves them to it, judges what it saw, and tells when it was last heard of."""
    with listening_node() as node:
        ours = await stage.check(node)
        theirs = await stage.check(node, vantage="south-dmz")
        async with stage.agent():
            event = await stage.steward.heard.until("probe.result", lambda e: e.data.probe_id == ours)
    assert (event.data.outcome, event.data.vantage, event.site_id) == ("ok", VANTAGE, SITE)
    assert stage.seen(theirs) == []
    [known, other] = (await stage.steward.admin.get("/probes/v1/agents")).json()["items"]
    assert (known["name"], known["probes"], known["site_ids"]) == (VANTAGE, 1, [SITE])
    assert abs(known["clock_offset_ms"]) < 60_000
    assert (other["name"], other["last_seen"]) == ("south-dmz", None)


async def test_while_the_link_is_down_results_wait_and_then_come_in_order(stage: Stage) -> None:
    """Not one is missing, none comes twice, and each says when it was made."""
    with listening_node() as node:
        probe_id = await stage.check(node)
        async with stage.agent() as spool:
            await stage.steward.heard.until("probe.result", lambda e: e.data.probe_id == probe_id)
            stage.gate.is_open = False
            await spool.until_waiting(3)
            waiting, stage.gate.is_open = spool.waiting, True
            await _heard(stage, probe_id, waiting + 3)
    assert stage.whole(probe_id)


async def test_an_agent_that_starts_without_a_link_goes_on_with_its_work(stage: Stage) -> None:
    """It remembers what it had to do, and what it had not yet brought."""
    with listening_node() as node:
        probe_id = await stage.check(node)
        async with stage.agent():
            await stage.steward.heard.until("probe.result", lambda e: e.data.probe_id == probe_id)
        before = len(stage.seen(probe_id))
        stage.gate.is_open = False
        async with stage.agent() as spool:
            await spool.until_waiting(2)
        stage.gate.is_open = True
        async with stage.agent():
            await _heard(stage, probe_id, before + 3)
    due = [one.due_at for one in stage.seen(probe_id)]
    assert due == sorted(set(due))


async def test_an_agent_hears_of_new_work_when_it_brings_something(stage: Stage) -> None:
    """It need not wait until it would ask again."""
    with listening_node() as node:
        first = await stage.check(node)
        async with agent_at(stage.url, stage.steward, stage.folder, refresh=3600):
            await stage.steward.heard.until("probe.result", lambda e: e.data.probe_id == first)
            second = await stage.check(node)
            await stage.steward.heard.until("probe.result", lambda e: e.data.probe_id == second)


async def test_failures_at_a_vantage_raise_an_alert(stage: Stage) -> None:
    """After a first one the agent is told to try again soon, as the service would."""
    with listening_node() as node:
        node.stop()
        probe_id = await stage.check(node, interval_seconds=5, retry_interval_seconds=1)
        async with stage.agent():
            await stage.steward.heard.until("alert.raised", lambda e: e.data.check.startswith("echo from the DMZ"))
    gaps = [later.due_at - earlier.due_at for earlier, later in pairwise(stage.seen(probe_id))]
    assert min(gaps) < timedelta(seconds=4)


async def _heard(stage: Stage, probe_id: str, count: int) -> None:
    await stage.steward.heard.until("probe.result", lambda _: len(stage.seen(probe_id)) >= count)


def brought(probe_id: str, due_at: datetime, **more: Any) -> dict[str, Any]:
    """A result as an agent brings it."""
    told = {"probe_id": probe_id, "due_at": due_at.isoformat(), "started_at": due_at.isoformat()}
    return told | {"outcome": "ok", "detail": "It answered."} | more


async def bring(
    stage: Stage, *results: dict[str, Any], grant: str = f"service:{SITE}", late: float = 0, waiting: int = 7
) -> Any:
    """What an agent is answered that brings these."""
    sent_at = datetime.now(UTC) - timedelta(seconds=late)
    body = {"sent_at": sent_at.isoformat(), "waiting": waiting, "lost": 2, "results": list(results)}
    return await stage.steward.as_("agent", grant).post(f"{PATH}/results", json=body)


async def test_a_result_that_comes_again_is_taken_once(stage: Stage) -> None:
    """Also when it comes in another delivery, and also beside new ones."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=DAY, timeout_seconds=10)
    now = datetime.now(UTC)
    first, second, third = (brought(probe_id, now + timedelta(seconds=n)) for n in range(3))
    assert (await bring(stage, first, second)).json()["taken"] == 2
    answer = (await bring(stage, first, second, third)).json()
    assert answer["taken"] == 1
    assert answer["refused"] == [{"index": 0, "reason": "repeated"}, {"index": 1, "reason": "repeated"}]
    await _heard(stage, probe_id, 3)
    assert len(stage.seen(probe_id)) == 3
    [agent] = (await stage.steward.admin.get("/probes/v1/agents")).json()["items"]
    assert (agent["waiting"], agent["lost"]) == (7, 2)


async def test_a_result_of_a_probe_that_is_not_its_own_is_refused_alone(stage: Stage) -> None:
    """The others of the delivery are taken."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=DAY, timeout_seconds=10)
        theirs = await stage.check(node, interval_seconds=DAY, timeout_seconds=10, vantage="south-dmz")
    now = datetime.now(UTC)
    answer = await bring(stage, brought(theirs, now), brought("tcp:nothing", now), brought(probe_id, now))
    assert answer.json() == {
        "taken": 1,
        "refused": [{"index": 0, "reason": "unknown"}, {"index": 1, "reason": "unknown"}],
        "retry": [],
        "work": answer.json()["work"],
    }


async def test_a_result_from_the_future_is_refused_alone(stage: Stage) -> None:
    """It was made while the clock was ahead that is right now; the answer says so."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=DAY, timeout_seconds=10)
    now = datetime.now(UTC)
    answer = await bring(stage, brought(probe_id, now + timedelta(days=365)), brought(probe_id, now))
    assert answer.json()["taken"] == 1
    assert answer.json()["refused"] == [{"index": 0, "reason": "from the future"}]


async def test_a_delivery_by_a_wrong_clock_is_not_taken(stage: Stage) -> None:
    """Its results would stand at times at which nothing was seen; they wait at the agent, and the answer says why."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=DAY, timeout_seconds=10)
    for late in (-3600, 3600):
        answer = await bring(stage, brought(probe_id, datetime.now(UTC)), late=late)
        assert answer.status_code == 409
        told = re.search(r"the agent's clock is (\d+) s", answer.json()["detail"])
        assert told is not None
        assert int(told[1]) == pytest.approx(3600, abs=30)
    assert stage.seen(probe_id) == []


async def test_another_sites_key_finds_no_such_agent(stage: Stage) -> None:
    """Neither its work nor a way to bring results in its name."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=DAY, timeout_seconds=10)
    stranger = stage.steward.as_("agent", "service:south")
    assert (await stranger.get(f"{PATH}/assignments")).status_code == 404
    answer = await bring(stage, brought(probe_id, datetime.now(UTC)), grant="service:south")
    assert (answer.status_code, stage.seen(probe_id)) == (404, [])


async def test_what_is_late_raises_nothing_while_the_agent_has_more(stage: Stage) -> None:
    """Its last result does, if that failed too."""
    with listening_node() as node:
        probe_id = await stage.check(node, interval_seconds=60, timeout_seconds=10)
    begin = datetime.now(UTC) - timedelta(hours=1)
    late = [brought(probe_id, begin + timedelta(minutes=n), outcome="failed", failure="refused") for n in range(5)]
    answer = await bring(stage, *late)
    assert (answer.json()["taken"], answer.json()["retry"]) == (5, [probe_id])
    alerts = "/probes/v1/alerts"
    assert (await stage.steward.admin.get(alerts)).json()["items"] == []
    last = brought(probe_id, begin + timedelta(minutes=5), outcome="failed", failure="refused")
    await bring(stage, last, waiting=0)
    [alert] = (await stage.steward.admin.get(alerts)).json()["items"]
    assert datetime.fromisoformat(alert["since"]) == begin


def test_an_agent_that_never_catches_up_is_believed() -> None:
    """Whoever has had more to bring for an hour is not about to bring the last word."""
    now = datetime.now(UTC)
    assert [is_catching_up(since, now) for since in (None, now - timedelta(minutes=59), now - timedelta(hours=1))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"detail": "x" * 2001}, "detail"),
        ({"phases": {"tcp": "NaN"}}, "phases.tcp"),
        ({"outcome": "fine"}, "outcome"),
        ({"measures": {str(number): 1.0 for number in range(101)}}, "measures"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_a_malformed_result_is_named(stage: Stage, more: dict[str, Any], field: str) -> None:
    """With its place in the delivery, its field, the rule and an example."""
    answer = await bring(stage, brought("tcp:x", datetime.now(UTC), **more))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"results.0.{field}"


async def test_work_is_only_told_when_it_changed(stage: Stage) -> None:
    """304 answers an ETag that still holds."""
    with listening_node() as node:
        await stage.check(node)
        agent = stage.steward.as_("agent", f"service:{SITE}")
        first = await agent.get(f"{PATH}/assignments")
        again = {"If-None-Match": first.headers["etag"]}
        assert (await agent.get(f"{PATH}/assignments", headers=again)).status_code == 304
        await stage.check(node)
        changed = await agent.get(f"{PATH}/assignments", headers=again)
    assert (changed.status_code, len(changed.json()["items"])) == (200, 2)
