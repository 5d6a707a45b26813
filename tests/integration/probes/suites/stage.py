"""A hospital's system with a real archive, a modality and a workstation, on which suites are run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from demo.node import Node
from services.probes.dicom import Peer
from shared.events import Event
from shared.events.inventory import AssetChanged, DicomAddress, NodeRole
from shared.events.probes import SuiteCompleted
from shared.transactions import new_id
from tests.harness import Harness, Voice
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import DAY, SITE, probes, tell_system
from tests.news import until
from tests.parts.orthanc import Orthanc
from tests.parts.process import free_port

RUNS = "/probes/v1/suite-runs"


@dataclass(frozen=True)
class Hospital:
    """The running service, inventory's voice, and the ids of a system and of its nodes by their names."""

    steward: Harness
    inventory: Voice
    system_id: str
    nodes: dict[str, str]

    @property
    def operator(self) -> httpx.AsyncClient:
        """Who may ask for runs at the site."""
        return self.steward.as_("otto", f"operator:{SITE}")

    async def add(self, name: str, role: NodeRole, peer: Peer) -> str:
        """A node more; returns its id when probes knows it."""
        self.nodes[name] = new_id()
        await self.tell(name, role, peer)
        return self.nodes[name]

    async def tell(self, name: str, role: NodeRole, peer: Peer, version: int = 1) -> None:
        """Publishes how a node is; returns when probes has taken it over."""
        address = DicomAddress(ae_title=peer.ae_title, host=peer.host, port=peer.port, role=role)
        node = AssetChanged(
            kind="node", name=name, state="in_service", version=version, system_id=self.system_id, dicom=address
        )
        await self.inventory.say(node, subject=self.nodes[name], site_id=SITE)
        query = "SELECT count(*) = 1 FROM assets WHERE id = $1 AND version = $2"
        await until(self.steward.pools["probes"], query, self.nodes[name], version)

    async def ask(self, suite_id: str, **more: Any) -> dict[str, Any]:
        """Asks for a run and returns it as it is planned."""
        body = {"suite_id": suite_id, "system_id": self.system_id, "reason": "test", **more}
        answer = await self.operator.post(RUNS, json=body)
        assert answer.status_code == 202, answer.text
        planned: dict[str, Any] = answer.json()
        return planned

    async def run(self, suite_id: str, **more: Any) -> dict[str, Any]:
        """A run of a suite, with its items, once it is done and told of."""
        planned = await self.ask(suite_id, **more)
        await self.told(planned["id"])
        return await self.get(planned["id"])

    async def told(self, run_id: str) -> Event[SuiteCompleted]:
        """The event that a run has ended."""
        return await self.steward.heard.until("suite.completed", lambda event: event.data.run_id == run_id)

    async def get(self, run_id: str) -> dict[str, Any]:
        """A run with its items."""
        answer = await self.operator.get(f"{RUNS}/{run_id}")
        assert answer.status_code == 200, answer.text
        run: dict[str, Any] = answer.json()
        return run

    async def make_suite(self, *items: dict[str, Any], site_id: str = SITE) -> str:
        """A suite of these items; returns its id."""
        body = {"site_id": site_id, "name": "Of our own", "purpose": "other", "items": list(items)}
        answer = await self.steward.admin.post("/probes/v1/suites", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def hospital(run: Run, speak: Speak, **settings: Any) -> AsyncIterator[Hospital]:
    """The service beside a system that has no node yet."""
    settings = {"probe_interval": DAY, "probe_listen_host": "127.0.0.1", "probe_listen_port": 0} | settings
    async with run(**probes(**settings)) as steward, speak("inventory") as inventory:
        system_id = await tell_system(inventory)
        await until(steward.pools["probes"], "SELECT count(*) = 1 FROM assets")
        yield Hospital(steward, inventory, system_id, {})


@asynccontextmanager
async def whole_hospital(run: Run, speak: Speak, folder: Path) -> AsyncIterator[Hospital]:
    """The system has a real Orthanc, which may send to Steward, and a modality and a workstation that answer."""
    port = free_port()
    nodes = [Node("ct-1", "modality", "CT_1"), Node("reading-1", "workstation", "READING_1")]
    with Orthanc(folder, peers={"steward": ("STEWARD", "127.0.0.1", port)}) as archive:
        for node in nodes:
            node.start()
        try:
            async with hospital(run, speak, probe_listen_port=port) as system:
                await system.add("north-pacs", "archive", Peer("127.0.0.1", archive.port, archive.ae_title))
                for node in nodes:
                    await system.add(node.name, node.role, Peer(node.host, node.port, node.ae_title))
                yield system
        finally:
            for node in nodes:
                node.stop()


def items_of(run: dict[str, Any], **where: str) -> list[dict[str, Any]]:
    """The items of a run that have these values."""
    return [item for item in run["items"] if all(item[name] == value for name, value in where.items())]
