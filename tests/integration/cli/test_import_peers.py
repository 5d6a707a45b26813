"""`steward import netbox` and `dcm4chee`, against servers that answer as their documentation says.

No NetBox and no dcm4chee-arc was run: what these servers answer is written after the reference of their REST APIs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.cli import pulling
from tests.harness import Harness
from tests.integration.cli.peers import Peer, answering
from tests.integration.cli.test_import import inventory, steward, titles
from tests.integration.inventory.requests import register_system
from tests.unit.inventory.imports.test_peers import DEVICE

__all__ = ["inventory", "steward"]

Steward = Callable[..., Any]
COMPONENTS = "/inventory/v1/components"
SITES, DEVICES = "/api/dcim/sites/", "/api/dcim/devices/"


def site(number: int, **more: Any) -> dict[str, Any]:
    """A site as NetBox tells it."""
    told = {"id": number, "slug": f"clinic-{number}", "name": f"Clinic {number}", "status": {"value": "active"}}
    place = {"time_zone": "Europe/Berlin", "physical_address": "1 Road\r\nTown", "latitude": 54.5, "longitude": 9.25}
    return told | place | more


def device(number: int, role: str = "role", **more: Any) -> dict[str, Any]:
    """A device as NetBox tells it: with ``role`` since 3.6, with ``device_role`` before."""
    kind = {"id": 1, "manufacturer": {"name": "Halden AG", "slug": "halden"}, "model": "H2", "slug": "h2"}
    told = {"id": number, "name": f"srv-{number}", "serial": f"S{number}", "asset_tag": f"T-{number}"}
    placed = {"site": {"slug": "clinic-1"}, "rack": {"name": "R1"}, "position": 12.0, "face": {"value": "front"}}
    run = {"status": {"value": "active"}, "primary_ip": {"address": f"10.0.0.{number}/24"}}
    return told | {"device_type": kind, role: {"slug": "pacs-server"}} | placed | run | more


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with NetBox's token."""
    file = tmp_path / "token"
    file.write_text("0123abc\n")
    return file


async def parts(inventory: Harness) -> dict[str, dict[str, Any]]:
    """The components by their names."""
    items = (await inventory.admin.get(COMPONENTS)).json()["items"]
    return {item["name"]: item for item in items}


@pytest.mark.parametrize("role", ["role", "device_role"])
async def test_sites_and_devices_of_a_netbox_are_taken_in_once(
    inventory: Harness, steward: Steward, token_file: Path, role: str
) -> None:
    """Over all pages, with the catalogue that they name; a change there is a change here, and nothing is made twice."""
    devices = [device(number, role) for number in (1, 2, 3, 4)]
    devices[1] |= {"status": {"value": "planned"}, "serial": "", "asset_tag": None, "name": "=cmd|' /C calc'!A0"}
    devices[2] |= {role: {"slug": "core-switches"}}
    peer = Peer({SITES: [site(1), site(2), site(3)], DEVICES: devices}, token="Token 0123abc")
    with answering(peer):
        status, said = await steward("netbox", peer.url, "--token-file", token_file, "--dry-run", "--per-second", 100)
        assert (status, "9 new, 0 changed, 0 as they are, 0 refused" in said) == (0, True), said
        assert await parts(inventory) == {}
        assert (await steward("netbox", peer.url, "--token-file", token_file, "--yes", "--per-second", 100))[0] == 0
        found = await parts(inventory)
        assert {name: (one["type"], one["state"]) for name, one in found.items()} == {
            "srv-1": ("server", "in_service"),
            "=cmd|' /C calc'!A0": ("server", "proposed"),
            "srv-3": ("switch", "in_service"),
            "srv-4": ("server", "in_service"),
        }
        first = found["srv-1"]
        assert (first["site_id"], first["serial"], first["asset_tag"]) == ("clinic-1", "S1", "T-1")
        assert (first["manufacturer"], first["model"], first["host"]) == ("Halden AG", "H2", "10.0.0.1")
        assert first["product_id"] is not None
        devices[0]["name"] = "renamed"
        status, said = await steward("netbox", peer.url, "--token-file", token_file, "--yes", "--per-second", 100)
        assert (status, "0 new, 1 changed, 8 as they are, 0 refused" in said) == (0, True), said
        assert set(await parts(inventory)) == set(found) - {"srv-1"} | {"renamed"}


async def test_a_mapping_says_what_a_group_calls_its_own(
    inventory: Harness, steward: Steward, token_file: Path, tmp_path: Path
) -> None:
    """Sites, roles and states by their slugs; what stands in a rack, where a field keeps it."""
    field = {"component_type": "array", "name": "unit", "label": "Unit", "kind": "number"}
    assert (await inventory.admin.post("/inventory/v1/fields", json=field)).is_success
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[sites]\nclinic-1 = "north"\n[roles]\npacs-server = "array"\n[states]\nactive = "proposed"\n'
        '[fields]\nposition = "unit"\n'
    )
    arguments = ("--token-file", token_file, "--mapping", mapping, "--only-devices", "--yes")
    with answering(Peer({DEVICES: [device(1)]})) as peer:
        status, said = await steward("netbox", peer.url, *arguments)
    assert status == 0, said
    made = (await parts(inventory))["srv-1"]
    assert (made["site_id"], made["type"], made["state"], made["fields"]) == (
        "north",
        "array",
        "proposed",
        {"unit": 12},
    )


async def test_what_netbox_does_not_know_is_a_fault_by_row(
    inventory: Harness, steward: Steward, token_file: Path
) -> None:
    """A new site without a time zone, and a device at a site that is not there; nothing is taken."""
    lists = {SITES: [site(1, time_zone=None)], DEVICES: [device(1)]}
    with answering(Peer(lists)) as peer:
        status, said = await steward("netbox", peer.url, "--token-file", token_file, "--yes")
        assert (status, "sites line 2: time_zone is missing" in said) == (1, True), said
        assert "components line 2: row no site clinic-1" in said
        assert await parts(inventory) == {}
        status, _ = await steward("netbox", peer.url, "--token-file", token_file, "--yes", "--time-zone", "UTC")
    assert status == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "does not answer with JSON"),
        (b"[" * 100_000, "does not answer with JSON"),
        ({"results": 7}, "it has no results"),
        ({"results": [7], "next": None}, "a result is no object"),
        ({"results": [], "next": 7}, "is no address"),
        ({"results": [], "next": "https://elsewhere.example/api/"}, "leads to another server, elsewhere.example"),
        ({"results": [], "next": "file:///etc/passwd"}, "leads to another server"),
        ({"results": [], "next": f"{DEVICES}?limit=200&offset=0"}, "leads to the same page again"),
        (b"1" * 2_000_000, "more than 1000000 bytes"),
    ],
)
async def test_a_server_that_is_no_netbox_changes_nothing(
    inventory: Harness, steward: Steward, token_file: Path, monkeypatch: pytest.MonkeyPatch, body: Any, said: str
) -> None:
    """Whatever it says; the token goes to no other server."""
    monkeypatch.setattr(pulling, "MOST_BYTES", 1_000_000)
    with answering(Peer(answers={DEVICES: body, SITES: body})) as peer:
        status, told = await steward("netbox", peer.url, "--token-file", token_file, "--yes")
    assert (status, said in told) == (1, True), told
    assert await parts(inventory) == {}


async def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    inventory: Harness, steward: Steward, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause; a redirection is not followed, nor a wrong token tried twice."""
    monkeypatch.setattr(pulling, "FIRST_PAUSE", 0.01)
    lists = {SITES: [site(1)], DEVICES: [device(1)]}
    with answering(Peer(lists, statuses=[503, 429, 500])) as peer:
        assert (await steward("netbox", peer.url, "--token-file", token_file, "--dry-run"))[0] == 0
        assert peer.asked[:4] == [f"{DEVICES}?limit=200&offset=0"] * 4
    for statuses, told, asked in (([302], "answers 302", 1), ([403], "answers 403", 1), ([503] * 4, "answers 503", 4)):
        with answering(Peer(lists, statuses=list(statuses))) as peer:
            status, said = await steward("netbox", peer.url, "--token-file", token_file, "--dry-run")
            assert (status, told in said, len(peer.asked)) == (1, True, asked), said


async def test_entities_of_a_dcm4chee_become_nodes(inventory: Harness, steward: Steward) -> None:
    """Those that can be called, from each device that is told of."""
    system = await register_system(inventory)
    aes = [{"dicomAETitle": "DCM4CHEE", "dicomDeviceName": "store scp"}, {"dicomAETitle": "X", "dicomDeviceName": "x"}]
    answers = {
        "/dcm4chee-arc/aes": aes,
        "/dcm4chee-arc/devices": [{"dicomDeviceName": "x"}],
        "/dcm4chee-arc/devices/store%20scp": DEVICE,
        "/dcm4chee-arc/devices/x": {"dicomDeviceName": "x", "dicomNetworkConnection": [], "dicomNetworkAE": []},
    }
    with answering(Peer(answers=answers)) as peer:
        arguments = ("dcm4chee", f"{peer.url}/dcm4chee-arc", "--system", system["id"], "--yes")
        assert (await steward(*arguments))[0] == 0
        assert await titles(inventory) == ["DCM4CHEE"]
        status, said = await steward(*arguments)
    assert (status, "0 new, 0 changed, 1 as they are" in said) == (0, True)
