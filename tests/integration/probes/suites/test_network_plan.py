"""A network plan, from the list in which it came to the associations that prove it."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from demo.node import Node
from services.__main__ import main
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run
from tests.integration.inventory.requests import register_system
from tests.integration.inventory.test_sites import INVENTORY, NORTH
from tests.integration.probes.fleet import DAY, probes
from tests.integration.probes.suites.stage import RUNS
from tests.news import until
from tests.parts.orthanc import Orthanc
from tests.parts.process import refusing_port


@pytest.fixture
def nodes() -> Iterator[dict[str, Node]]:
    """A modality and a workstation that answer to their own AE titles and to no other."""
    started = {name: Node(name, "workstation", name.upper()) for name in ("ct1", "reading1")}
    for node in started.values():
        node.start()
    yield started
    for node in started.values():
        node.stop()


@pytest.mark.seed("5")
async def test_plan_is_imported_and_every_edge_proved_by_an_association(
    run: Run, orthanc: Orthanc, nodes: dict[str, Node], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Addresses, ports, AE titles from a CSV; each caller associates with each it is to reach; a wrong port shows."""
    plan = tmp_path / "plan.csv"
    with refusing_port() as nobody:
        plan.write_text(
            "name,ae_title,host,port,role\n"
            f"archive,{orthanc.ae_title},127.0.0.1,{orthanc.port},archive\n"
            f"ct 1,CT1,127.0.0.1,{nodes['ct1'].port},modality\n"
            f"reading 1,READING1,127.0.0.1,{nodes['reading1'].port},workstation\n"
            f"reading 2,READING2,127.0.0.1,{nobody},workstation\n"
        )
        async with run(**INVENTORY, **probes(probe_interval=DAY)) as steward:
            await steward.admin.post("/inventory/v1/sites", json=NORTH)
            system = await register_system(steward)
            transport = steward.http._transport
            assert isinstance(transport, httpx.ASGITransport)
            async with serving(transport.app) as url:
                monkeypatch.setenv("STEWARD_URL", url)
                monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("admin", ("group-admin:*",)))
                arguments = ["steward", "import", "nodes", str(plan), "--system", system["name"], "--yes"]
                monkeypatch.setattr(sys, "argv", arguments)
                with pytest.raises(SystemExit) as ended:
                    await asyncio.to_thread(main)
                assert ended.value.code == 0
            await until(steward.pools["probes"], "SELECT count(*) = 4 FROM assets WHERE kind = 'node'")
            body = {"suite_id": "network", "system_id": system["id"], "reason": "The plan was imported."}
            asked = (await steward.admin.post(RUNS, json=body)).json()
            told = await steward.heard.until("suite.completed", lambda event: event.data.run_id == asked["id"])
            done: dict[str, Any] = (await steward.admin.get(f"{RUNS}/{asked['id']}")).json()
    edges = {item["subject_name"]: item["verdict"] for item in done["items"] if item["kind"] == "dicom-conformance"}
    assert edges == {
        "ct 1 → archive": "passed",
        "reading 1 → archive": "passed",
        "reading 2 → archive": "passed",
        "archive → reading 1": "passed",
        "archive → reading 2": "failed",
    }
    assert told.data.outcome == "failed"
    assert {item.failure for item in told.data.items if item.verdict == "failed"} == {"refused"}
