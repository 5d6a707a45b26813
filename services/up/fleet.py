"""The first fleet: registers the simulated hospitals over the API, as a person would, once."""

from collections.abc import Mapping

import httpx

from demo.fleet import Fleet, Hospital
from demo.node import Node

PEOPLE = (("clinician", "Dr. {} Ward"), ("admin", "{} PACS desk"))


async def register(client: httpx.AsyncClient, fleet: Fleet) -> None:
    """Registers each hospital that inventory does not know, with its system, nodes and people."""
    for hospital in fleet.hospitals:
        known = await client.get(f"/inventory/v1/sites/{hospital.site_id}")
        if known.status_code == httpx.codes.NOT_FOUND:
            await _register_hospital(client, hospital)
    await _correct_ports(client, fleet)


async def _register_hospital(client: httpx.AsyncClient, hospital: Hospital) -> None:
    site = {"id": hospital.site_id, "name": hospital.name, "time_zone": hospital.time_zone}
    await _post(client, "sites", site)
    title = hospital.site_id.capitalize()
    software = {"vendor": "Example Imaging", "product": "Example PACS", "version": "4.1.0"}
    wanted = {"site_id": hospital.site_id, "name": f"{title} PACS", "software": software}
    system = await _post(client, "systems", wanted)
    for node in hospital.nodes:
        await _post(client, "nodes", {"system_id": system["id"], "name": node.name} | address(node))
    for role, name in PEOPLE:
        mail = f"{role}@{hospital.site_id}.example"
        person = {"site_id": hospital.site_id, "name": name.format(title), "email": mail, "roles": [role]}
        await _post(client, "people", person)


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


def address(node: Node) -> dict[str, object]:
    """A node's DICOM address as inventory takes it."""
    return {"ae_title": node.ae_title, "host": node.host, "port": node.port, "role": node.role}


async def _post(client: httpx.AsyncClient, what: str, body: Mapping[str, object]) -> dict[str, str]:
    answer = await client.post(f"/inventory/v1/{what}", json=body)
    created: dict[str, str] = answer.raise_for_status().json()
    return created
