"""Items of suites are run where the system can be reached: each once, whatever becomes of the agent and its link."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.probes.dicom import Peer
from services.probes.kinds.storage_classes import VERIFICATION
from shared.events.probes import SuiteCompleted
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run, Speak
from tests.integration.probes.agents.vantage import VANTAGE, Gate, agent_at, gate_to
from tests.integration.probes.dicom.peers import listening
from tests.integration.probes.fleet import SITE, listening_node
from tests.integration.probes.suites.stage import Hospital, hospital
from tests.news import until

PATH = f"/probes/v1/agents/{VANTAGE}"


@dataclass
class Far:
    """A hospital behind a firewall: its nodes are left to an agent, which comes through a gate."""

    system: Hospital
    gate: Gate
    url: str

    @property
    def runs_told(self) -> list[str]:
        """The runs that were told of as ended."""
        return [e.data.run_id for e in self.system.steward.heard.events if isinstance(e.data, SuiteCompleted)]


@asynccontextmanager
async def far(run: Run, speak: Speak) -> AsyncIterator[Far]:
    """A hospital behind a firewall that has no node yet."""
    async with hospital(run, speak, probe_site_vantages={SITE: VANTAGE}) as system:
        gate = gate_to(system.steward)
        async with serving(gate) as url:
            yield Far(system, gate, url)


def item(name: str, **more: Any) -> dict[str, Any]:
    """An item of a suite that asks the archive."""
    return {"name": name, "function": "connectivity", "interface": "archive", "kind": "dicom-echo"} | more


@asynccontextmanager
async def mute() -> AsyncIterator[tuple[int, asyncio.Queue[None]]]:
    """A port at which nothing is ever answered; tells of each that comes."""
    came: asyncio.Queue[None] = asyncio.Queue()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(None)
        with suppress(ConnectionError):
            await reader.read()

    async with listening(hang) as peer:
        yield peer.port, came


async def test_a_suite_is_run_by_the_agent_that_reaches_the_system(run: Run, speak: Speak, tmp_path: Path) -> None:
    """Verdicts, evidence, and the matrix of what was negotiated are kept as if the service had asked."""
    async with far(run, speak) as stage:
        system = stage.system
        with listening_node() as node:
            node_id = await system.add("north-pacs", "archive", Peer(node.host, node.port, node.ae_title))
            suite_id = await system.make_suite(
                item("answers", role="archive", required=True),
                item("conforms", role="archive", kind="dicom-conformance", settings={"sop_classes": [VERIFICATION]}),
            )
            async with agent_at(stage.url, system.steward, tmp_path):
                done = await system.run(suite_id)
        assert (done["outcome"], [one["verdict"] for one in done["items"]]) == ("passed", ["passed"] * 2)
        assert {one["vantage"] for one in done["items"]} == {VANTAGE}
        evidence = f"/probes/v1/suite-runs/{done['id']}/evidence/{done['items'][0]['evidence']}"
        answer = await system.operator.get(evidence)
        assert (answer.json()["item"]["vantage"], answer.json()["observation"]["outcome"]) == (VANTAGE, "ok")
        [matrix] = (await system.operator.get("/probes/v1/conformance", params={"subject": node_id})).json()["items"]
        whole = (await system.operator.get(f"/probes/v1/conformance/{matrix['id']}")).json()
        assert (matrix["accepted"], matrix["missing"]) == (sum(cell["accepted"] for cell in whole["cells"]), 0)
        assert {cell["sop_class_name"] for cell in whole["cells"]} == {"Verification SOP Class"}


async def test_the_service_runs_nothing_that_is_left_to_an_agent(run: Run, speak: Speak) -> None:
    """However long the agent is away, its items wait for it until the run's time is over; others are run at once."""
    async with far(run, speak) as stage:
        system = stage.system
        with listening_node() as node:
            await system.add("north-pacs", "archive", Peer(node.host, node.port, node.ae_title))
            settings = {"host": node.host, "port": node.port, "ae_title": node.ae_title}
            check = {"subject": system.system_id, "name": "answers", "kind": "dicom-echo", "settings": settings}
            made = (await system.steward.admin.post("/probes/v1/checks", json=check)).json()
            ours = {"name": "ours", "function": "connectivity", "interface": "archive", "check_id": made["id"]}
            suite_id = await system.make_suite(item("theirs", role="archive"), ours)
            done = await system.run(suite_id, timeout_seconds=3)
    assert {one["name"]: one["verdict"] for one in done["items"]} == {"theirs": "not_run", "ours": "passed"}


async def test_an_agent_that_is_stopped_at_work_asks_anew(run: Run, speak: Speak, tmp_path: Path) -> None:
    """What it had not seen is not told; its next start tells it, once."""
    async with far(run, speak) as stage, mute() as (port, came):
        system = stage.system
        node_id = await system.add("north-pacs", "archive", Peer("127.0.0.1", port, "NORTH_PACS"))
        asked = await system.ask(await system.make_suite(item("slow", subject=node_id, timeout_seconds=3600)))
        async with agent_at(stage.url, system.steward, tmp_path):
            await came.get()
        assert (await system.get(asked["id"]))["items"][0]["state"] == "planned"
        async with agent_at(stage.url, system.steward, tmp_path):
            await came.get()
        assert stage.runs_told == []


async def test_an_answer_whose_receipt_was_lost_counts_once(run: Run, speak: Speak, tmp_path: Path) -> None:
    """The agent brings it until it hears that it came; the item ends once, the run is told of once."""
    async with far(run, speak) as stage:
        system = stage.system
        with listening_node() as node:
            await system.add("north-pacs", "archive", Peer(node.host, node.port, node.ae_title))
            suite_id = await system.make_suite(item("answers", role="archive"))
            async with agent_at(stage.url, system.steward, tmp_path) as spool:
                await until(system.steward.pools["probes"], "SELECT count(*) = 1 FROM agents")
                stage.gate.is_deaf = True
                done = await system.run(suite_id)
                await spool.until_waiting(1)
                stage.gate.is_deaf = False
                await spool.until_empty()
            later = await system.get(done["id"])
    assert (later, stage.runs_told) == (done, [done["id"]])


async def test_what_came_too_late_changes_nothing(run: Run, speak: Speak, tmp_path: Path) -> None:
    """The link was down until the run's time was over: it is told as not run, and stays so."""
    async with far(run, speak) as stage:
        system = stage.system
        with listening_node() as node:
            node_id = await system.add("north-pacs", "archive", Peer(node.host, node.port, node.ae_title))
            suite_id = await system.make_suite(item("answers", subject=node_id))
            asked = await system.ask(suite_id, timeout_seconds=5)
            async with agent_at(stage.url, system.steward, tmp_path) as spool:
                stage.gate.is_open = False
                await system.told(asked["id"])
                done = await system.get(asked["id"])
                stage.gate.is_open = True
                await spool.until_empty()
            assert await system.get(asked["id"]) == done
    assert [one["verdict"] for one in done["items"]] in (["not_run"], ["passed"])


async def test_another_agent_and_another_sites_key_can_answer_nothing(run: Run, speak: Speak) -> None:
    """Neither does any other agent see what is to be asked."""
    async with far(run, speak) as stage, mute() as (port, _):
        system = stage.system
        node_id = await system.add("north-pacs", "archive", Peer("127.0.0.1", port, "NORTH_PACS"))
        asked = await system.ask(await system.make_suite(item("it", subject=node_id)))
        ours = system.steward.as_("agent", f"service:{SITE}")
        await until(system.steward.pools["probes"], "SELECT count(*) = 1 FROM suite_items")
        [errand] = (await ours.get(f"{PATH}/assignments")).json()["errands"]
        now = errand["deadline"][:4] + "-01-01T00:00:00Z"
        told = {"probe_id": errand["id"], "due_at": now, "started_at": now, "outcome": "ok", "detail": "It answered."}
        sent_at = (await system.steward.pools["probes"].fetchval("SELECT now()")).isoformat()
        body = {"sent_at": sent_at, "results": [told, told | {"probe_id": "suite-item:x:99999999999999999999"}]}
        stranger = system.steward.as_("agent", "service:south")
        assert (await stranger.post(f"{PATH}/results", json=body)).status_code == 404
        everybody = system.steward.as_("agent", "service:*")
        other = await everybody.post("/probes/v1/agents/south-dmz/results", json=body)
        assert other.status_code == 404
        answer = (await ours.post(f"{PATH}/results", json=body)).json()
        assert (answer["taken"], [one["reason"] for one in answer["refused"]]) == (1, ["unknown"])
        again = (await ours.post(f"{PATH}/results", json=body)).json()
        assert [one["reason"] for one in again["refused"]] == ["repeated", "unknown"]
        await system.told(asked["id"])
    assert stage.runs_told == [asked["id"]]


@asynccontextmanager
async def process_at(stage: Far, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`steward probe-agent` as a process of its own, which is killed at the end."""
    env = {
        "PATH": os.environ["PATH"],
        "STEWARD_AGENT_NAME": VANTAGE,
        "STEWARD_AGENT_SERVER": f"{stage.url}/probes",
        "STEWARD_AGENT_TOKEN": stage.system.steward.issuer.token("agent", [f"service:{SITE}"]),
        "STEWARD_AGENT_SPOOL": str(folder),
        "STEWARD_AGENT_REFRESH": "0.1",
    }
    command = [sys.executable, "-m", "services", "probe-agent"]
    process = await asyncio.create_subprocess_exec(*command, env=env)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_an_agent_that_is_killed_again_and_again_answers_each_item_once(
    run: Run, speak: Speak, tmp_path: Path
) -> None:
    """While it asks, and while what it saw waits on its disk: the next start asks the one anew and brings the other."""
    async with far(run, speak) as stage, mute() as (port, came):
        system = stage.system
        pool = system.steward.pools["probes"]
        with listening_node() as node:
            settings = {"host": "127.0.0.1", "ae_title": node.ae_title, "port": port}
            slow = item("slow", settings=settings, timeout_seconds=3600)
            node_id = await system.add("pacs", "archive", Peer(node.host, node.port, node.ae_title))
            quick = item("quick", subject=node_id)
            async with process_at(stage, tmp_path):
                await until(pool, "SELECT count(*) = 1 FROM agents")
                stage.gate.is_deaf = True
                asked = await system.ask(await system.make_suite(slow, quick))
                await came.get()
                await until(pool, "SELECT count(*) = 1 FROM suite_items WHERE state = 'done'")
            stage.gate.is_deaf = False
            async with process_at(stage, tmp_path):
                await came.get()
        items = {one["name"]: one for one in (await system.get(asked["id"]))["items"]}
    assert (items["slow"]["state"], items["quick"]["verdict"]) == ("planned", "passed")
