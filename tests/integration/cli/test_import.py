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

    async def call(*arguments: object, group: str = "import") -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["steward", group, *map(str, arguments)])
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
    assert "+ line 2: CT 1: ae_title=CT1, host=ct1.north.example.org, port=104, role=modality, system=North" in said
    assert (await steward(*arguments, "--yes", "--reason", "the plan of May"))[0] == 0
    assert await titles(inventory) == ["CT1", "MR1"]
    status, said = await steward(*arguments, "--yes")
    assert (status, await titles(inventory)) == (0, ["CT1", "MR1"])
    assert "0 new, 0 changed, 2 as they are, 0 refused" in said
    changes = (await inventory.admin.get("/inventory/v1/history", params={"kind": "node"})).json()["items"]
    assert {change["reason"] for change in changes} == {"the plan of May"}


async def test_a_list_with_a_fault_registers_nothing(inventory: Harness, steward: Steward, tmp_path: Path) -> None:
    """Every fault is told, with its line and an example; the other rows are taken where that is asked for."""
    await register_system(inventory)
    sheet = tmp_path / "nodes.csv"
    sheet.write_text(SHEET + "US 1;US\\1;us1;104;modality\nXA 1;XA1;xa1;0;modality\n")
    status, said = await steward("nodes", sheet, "--system", "North archive", "--yes")
    assert (status, await titles(inventory)) == (1, [])
    assert "! line 4: ae_title must be 1 to 16 ASCII" in said
    assert "! line 5: port must be greater than or equal to 1, for example 104" in said
    assert "2 of 4 rows are refused, so none was taken" in said
    status, said = await steward("nodes", sheet, "--system", "North archive", "--yes", "--skip-errors")
    assert (status, await titles(inventory)) == (0, ["CT1", "MR1"])


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((), "no column 'system'"),
        (("--system", "South archive"), "is no system"),
        (("--system", "twice"), "is the name of 2"),
    ],
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
    assert "1 new, 0 changed, 1 as they are, 0 refused" in said
    nodes = (await inventory.admin.get(NODES)).json()["items"]
    assert {node["name"] for node in nodes} == {"ct", "Reading room"}
    configuration = folder / "orthanc.json"
    assert json.loads(configuration.read_text())["DicomModalities"]
    status, said = await steward("orthanc", configuration, "--system", system["id"])
    assert (status, "0 new, 0 changed, 2 as they are" in said) == (0, True)


def left_over(folder: Path) -> list[Path]:
    """Files that were not written to their end."""
    return list(folder.glob("*.part"))


async def test_all_is_written_and_taken_back(inventory: Harness, steward: Steward, tmp_path: Path) -> None:
    """`steward export` writes what `steward import` finds as it is; one kind of it too, as a workbook."""
    system = await register_system(inventory)
    await register_node(inventory, system, ae_title="WS1", host="127.0.0.1", port=4242, name="Reading room")
    files = {"inventory": tmp_path / "all.zip", "nodes": tmp_path / "nodes.xlsx"}
    assert (await steward("inventory", "--out", files["inventory"], group="export"))[0] == 0
    assert (await steward("nodes", "--format", "xlsx", "--out", files["nodes"], group="export"))[0] == 0
    for what, file in (("all", files["inventory"]), ("nodes", files["nodes"])):
        status, said = await steward(what, file)
        assert status == 0, said
        assert " 0 new, 0 changed" in said
        assert ", 0 refused" in said
    assert left_over(tmp_path) == []
