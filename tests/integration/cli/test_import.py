"""`steward import` registers the nodes of a list, after it has shown them, and each only once."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.__main__ import main
from tests.harness import Harness
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run
from tests.integration.inventory.requests import NODES, register_node, register_system
from tests.integration.inventory.test_sites import INVENTORY, NORTH
from tests.parts.orthanc import Orthanc

SHEET = "name;ae_title;host;port;role\nCT 1;CT1;ct1.north.example.org;104;modality\nMR 1;MR1;10.1.2.4;104;\n"

Steward = Callable[..., Any]


@pytest.fixture
async def inventory(run: Run, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    """An inventory that the command knows, with a hospital in it."""
    async with run(**INVENTORY) as steward:
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        await steward.admin.post("/inventory/v1/sites", json=NORTH)
        async with serving(transport.app) as url:
            monkeypatch.setenv("STEWARD_URL", url)
            monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("admin", ("group-admin:*",)))
            yield steward


@pytest.fixture
def steward(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Steward:
    """Runs the command and gives its exit status and what it said."""

    async def call(*arguments: object) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["steward", "import", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        said = capsys.readouterr()
        return ended.value.code, said.out + said.err

    return call


async def titles(inventory: Harness) -> list[str]:
    """The AE titles that are registered."""
    page = (await inventory.admin.get(NODES)).json()
    return sorted(node["ae_title"] for node in page["items"])


async def test_a_list_is_shown_then_registered_and_once(inventory: Harness, steward: Steward, tmp_path: Path) -> None:
    """A dry run changes nothing, and importing again does nothing."""
    await register_system(inventory)
    sheet = tmp_path / "nodes.csv"
    sheet.write_text(SHEET)
    arguments = ("nodes", sheet, "--system", "North archive")
    status, said = await steward(*arguments, "--dry-run")
    assert (status, await titles(inventory)) == (0, [])
    assert "register  line 2: CT 1, CT1 at ct1.north.example.org:104, modality" in said
    assert (await steward(*arguments, "--yes"))[0] == 0
    assert await titles(inventory) == ["CT1", "MR1"]
    status, said = await steward(*arguments, "--yes")
    assert (status, await titles(inventory)) == (0, ["CT1", "MR1"])
    assert "0 of 2 nodes are to be registered" in said


async def test_a_list_with_a_fault_registers_nothing(inventory: Harness, steward: Steward, tmp_path: Path) -> None:
    """Every fault is told, with its line and an example."""
    await register_system(inventory)
    sheet = tmp_path / "nodes.csv"
    sheet.write_text(SHEET + "US 1;US\\1;us1;104;modality\nXA 1;XA1;xa1;0;modality\n")
    status, said = await steward("nodes", sheet, "--system", "North archive", "--yes")
    assert (status, await titles(inventory)) == (1, [])
    assert "line 4: ae_title must be" in said
    assert "line 5: port " in said


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [((), "give --system"), (("--system", "South archive"), "is no system"), (("--system", "twice"), "2 systems")],
)
async def test_a_list_whose_system_is_not_known_registers_nothing(
    inventory: Harness, steward: Steward, tmp_path: Path, arguments: tuple[str, ...], rule: str
) -> None:
    """Neither one that is not told, nor one that is not there, nor one of a name that two have."""
    await inventory.admin.post("/inventory/v1/sites", json=NORTH | {"id": "south"})
    for site in ("north", "south"):
        await register_system(inventory, name="twice", site_id=site)
    sheet = tmp_path / "nodes.csv"
    sheet.write_text(SHEET)
    status, said = await steward("nodes", sheet, *arguments, "--yes")
    assert (status, await titles(inventory)) == (1, [])
    assert rule in said


async def test_what_an_orthanc_knows_is_registered(inventory: Harness, steward: Steward, tmp_path: Path) -> None:
    """Over its REST API and from its configuration, which say the same; a node that is known stays as it is."""
    system = await register_system(inventory)
    await register_node(inventory, system, ae_title="WS1", host="127.0.0.1", port=4242, name="Reading room")
    peers = {"ct": ("CT1", "127.0.0.1", 104), "ws": ("WS1", "127.0.0.1", 4242)}
    folder = tmp_path / "orthanc"
    folder.mkdir()
    with Orthanc(folder, peers=peers) as orthanc:
        status, said = await steward("orthanc", orthanc.url, "--system", system["id"], "--yes")
    assert (status, await titles(inventory)) == (0, ["CT1", "WS1"])
    assert "as it is  modality 'ws': ws, WS1 at 127.0.0.1:4242, modality (registered: Reading room)" in said
    configuration = folder / "orthanc.json"
    assert json.loads(configuration.read_text())["DicomModalities"]
    status, said = await steward("orthanc", configuration, "--system", system["id"])
    assert (status, "0 of 2 nodes are to be registered" in said) == (0, True)
