"""The first fleet: registers the simulated hospitals over the API, as a person would, once."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from demo.fleet import Fleet, Hospital
from demo.hardware import Part, hardware_of
from demo.node import Node

PEOPLE = (("clinician", "Dr. {} Ward"), ("admin", "{} PACS desk"))
HEARD_WITHIN = 30.0
"""Seconds within which probes has heard of the nodes that inventory was told of."""
PAUSE = 0.1
CHANGEABLE = frozenset(
    {
        *("name", "settings", "interval_seconds", "retry_interval_seconds", "timeout_seconds", "vantage"),
        *("depends_on", "limits", "severity", "enabled"),
    }
)
"""What a change of a check says."""


async def register(client: httpx.AsyncClient, fleet: Fleet) -> None:
    """Registers each hospital that inventory does not know, with its system, nodes, hardware, people and checks."""
    for hospital in fleet.hospitals:
        known = await client.get(f"/inventory/v1/sites/{hospital.site_id}")
        if known.status_code == httpx.codes.NOT_FOUND:
            await _register_hospital(client, hospital)
    await _correct_ports(client, fleet)


async def _register_hospital(client: httpx.AsyncClient, hospital: Hospital) -> None:
    site = {"id": hospital.site_id, "name": hospital.name, "time_zone": hospital.time_zone}
    latitude, longitude = hospital.coordinates
    await _post(client, "sites", site | {"latitude": latitude, "longitude": longitude})
    title = hospital.site_id.capitalize()
    software = {"vendor": "Example Imaging", "product": "Example PACS", "version": "4.1.0"}
    wanted = {"site_id": hospital.site_id, "name": f"{title} PACS", "software": software}
    system = await _post(client, "systems", wanted)
    ids = [
        (await _post(client, "nodes", {"system_id": system["id"], "name": node.name} | address(node)))["id"]
        for node in hospital.nodes
    ]
    await install_hardware(
        client, hardware_of(hospital.site_id), {"site_id": hospital.site_id, "system_id": system["id"]}
    )
    for role, name in PEOPLE:
        mail = f"{role}@{hospital.site_id}.example"
        person = {"site_id": hospital.site_id, "name": name.format(title), "email": mail, "roles": [role]}
        await _post(client, "people", person)
    await _make_checks(client, hospital, dict(zip((node.ae_title for node in hospital.nodes), ids, strict=True)))


async def install_hardware(client: httpx.AsyncClient, parts: Sequence[Part], place: Mapping[str, str]) -> None:
    """Registers components and, level by level, what is installed in them."""
    rows = [{**part.facts, **place} for part in parts]
    made = (await _post(client, "components/bulk?atomic=true", {"rows": rows}))["rows"]
    for part, row in zip(parts, made, strict=True):
        if part.inside:
            await install_hardware(client, part.inside, {**place, "installed_in": row["component"]["id"]})


async def _make_checks(client: httpx.AsyncClient, hospital: Hospital, ids: Mapping[str, str]) -> None:
    """What is asked of the nodes beyond an echo, once probes has heard of them."""
    async with asyncio.timeout(HEARD_WITHIN):
        while not set(ids.values()) <= await _targets(client, hospital.site_id):
            await asyncio.sleep(PAUSE)
    for node, check in checks_of(hospital):
        (await client.post("/probes/v1/checks", json={"subject": ids[node.ae_title]} | check)).raise_for_status()


def checks_of(hospital: Hospital) -> list[tuple[Node, dict[str, Any]]]:
    """A round trip at the archive, the time of a query there, and whether the workstation takes connections."""
    archive, workstation = hospital.archive, hospital.workstation
    called = {"host": archive.host, "port": archive.port, "ae_title": archive.ae_title}
    return [
        (archive, {"kind": "dicom-roundtrip", "name": "Images come back", "settings": called, "interval_seconds": 120}),
        (
            archive,
            {
                "kind": "dicom-find",
                "name": "Studies are found",
                "settings": called | {"query": {"ModalitiesInStudy": "CT"}, "at_least": 1},
                "interval_seconds": 60,
                "limits": {"answer_seconds": {"warning": 5, "critical": 20}},
            },
        ),
        (
            workstation,
            {
                "kind": "tcp",
                "name": "The workstation is on the network",
                "settings": {"host": workstation.host, "port": workstation.port},
                "interval_seconds": 30,
            },
        ),
    ]


async def _targets(client: httpx.AsyncClient, site_id: str) -> set[str]:
    page = await client.get("/probes/v1/targets", params={"site_id": site_id, "limit": 1000})
    return {target["id"] for target in page.raise_for_status().json()["items"]}


async def _correct_ports(client: httpx.AsyncClient, fleet: Fleet) -> None:
    """A port that another program has taken meanwhile was changed; inventory is told, of the newcomer's too."""
    for hospital in (*fleet.hospitals, fleet.newcomer):
        page = await client.get("/inventory/v1/nodes", params={"site_id": hospital.site_id, "limit": 1000})
        registered = {found["ae_title"]: found for found in page.raise_for_status().json()["items"]}
        for node in hospital.nodes:
            found = registered.get(node.ae_title)
            if found is not None and found["port"] != node.port and found["state"] == "in_service":
                body = {"name": found["name"], "system_id": found["system_id"]} | address(node)
                headers = {"If-Match": f'"{found["version"]}"'}
                url = f"/inventory/v1/nodes/{found['id']}"
                (await client.put(url, json=body, headers=headers)).raise_for_status()
                await _correct_checks(client, found, node)


async def _correct_checks(client: httpx.AsyncClient, known: Mapping[str, Any], node: Node) -> None:
    """The checks that ask the node at the port that it had."""
    page = await client.get("/probes/v1/checks", params={"subject": known["id"], "limit": 1000})
    for check in page.raise_for_status().json()["items"]:
        if check["settings"].get("port") != known["port"]:
            continue
        settings = check["settings"] | {"port": node.port}
        body = {name: value for name, value in check.items() if name in CHANGEABLE} | {"settings": settings}
        url, headers = f"/probes/v1/checks/{check['id']}", {"If-Match": f'"{check["version"]}"'}
        (await client.put(url, json=body, headers=headers)).raise_for_status()


def address(node: Node) -> dict[str, object]:
    """A node's DICOM address as inventory takes it."""
    return {"ae_title": node.ae_title, "host": node.host, "port": node.port, "role": node.role}


async def _post(client: httpx.AsyncClient, what: str, body: Mapping[str, object]) -> dict[str, Any]:
    answer = await client.post(f"/inventory/v1/{what}", json=body)
    created: dict[str, Any] = answer.raise_for_status().json()
    return created
