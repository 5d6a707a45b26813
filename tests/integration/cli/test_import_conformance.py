"""`steward import conformance` keeps what a live node negotiates as a document of its system."""

import asyncio
import json
import sys
from typing import Any

import httpx
import pytest

from services.__main__ import main
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run
from tests.integration.inventory.requests import register_node, register_system
from tests.integration.inventory.test_sites import INVENTORY, NORTH
from tests.integration.probes.fleet import DAY, probes
from tests.news import until
from tests.parts.orthanc import Orthanc

DOCUMENTS = "/inventory/v1/documents"


@pytest.mark.seed("3")
async def test_what_a_node_negotiates_is_kept_as_a_document(
    run: Run, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each SOP class and transfer syntax of a real Orthanc; asked again, nothing is kept twice."""
    async with run(**INVENTORY, **probes(probe_interval=DAY)) as steward:
        await steward.admin.post("/inventory/v1/sites", json=NORTH)
        system = await register_system(steward)
        where = {"ae_title": orthanc.ae_title, "host": "127.0.0.1", "port": orthanc.port}
        node = await register_node(steward, system, role="archive", **where)
        await until(steward.pools["probes"], "SELECT count(*) = 1 FROM assets WHERE kind = 'node'")
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        async with serving(transport.app) as url:
            monkeypatch.setenv("STEWARD_URL", url)
            monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("admin", ("group-admin:*",)))
            said = [await _call(monkeypatch, capsys, node["id"]) for _ in range(2)]
        listed = (await steward.admin.get(DOCUMENTS, params={"asset_id": system["id"]})).json()["items"]
        [document] = listed
        content = (await steward.admin.get(f"{DOCUMENTS}/{document['id']}/versions/1/content")).json()
    assert "says the same already" in said[1]
    assert (document["kind"], document["version"], document["asset_ids"]) == ("conformance", 1, [system["id"]])
    cells: list[dict[str, Any]] = content["matrices"][0]["cells"]
    assert content["node_id"] == node["id"]
    assert len(cells) > 10, json.dumps(cells)[:500]


async def _call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], node_id: str) -> str:
    monkeypatch.setattr(sys, "argv", ["steward", "import", "conformance", node_id])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    return told.out
