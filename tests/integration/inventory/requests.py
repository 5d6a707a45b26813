"""What the tests of inventory send, and short ways to send it."""

from typing import Any

import httpx

from tests.harness import Harness
from tests.integration.inventory.earning import earn

SYSTEMS = "/inventory/v1/systems"
NODES = "/inventory/v1/nodes"
ASSETS = "/inventory/v1/assets"
PEOPLE = "/inventory/v1/people"
NOBODY = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b99"

SOFTWARE = {"vendor": "Northlight Imaging", "product": "Archive One", "version": "5.2.1"}
SYSTEM = {"site_id": "north", "name": "North archive", "software": SOFTWARE}
NODE = {"name": "Storage", "ae_title": "NORTH_PACS", "host": "127.0.0.1", "port": 11112, "role": "archive"}
PERSON = {"site_id": "north", "name": "Ada Berg", "email": "ada.berg@north.example.org", "roles": ["clinician"]}

HOSTILE: list[bytes] = [b"{", b"", b"[]", b"null", b'{"name": "\xff"}', b'{"name": NaN}', b"[" * 5000]
"""Bodies that are no object of ours, whatever route they are sent to."""


def check_malformed(answer: httpx.Response, field: str) -> None:
    """The answer is 422 and names the field, with a rule and an example."""
    assert answer.status_code == 422, (field, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    [error] = answer.json()["errors"]
    assert (error["field"], bool(error["rule"]), bool(error["example"])) == (field, True, True)


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    """The body without these fields."""
    return {name: value for name, value in body.items() if name not in names}


async def post(steward: Harness, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the administrator's POST made."""
    answer = await steward.admin.post(url, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def register_system(steward: Harness, **changes: Any) -> dict[str, Any]:
    """A system at site north unless changed."""
    return await post(steward, SYSTEMS, SYSTEM | changes)


async def register_node(steward: Harness, system: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A node of the system."""
    return await post(steward, NODES, {"system_id": system["id"]} | NODE | changes)


async def move(steward: Harness, asset: dict[str, Any], *states: str) -> dict[str, Any]:
    """The asset after it has gone through the states, each move earned by the evidence that its gate asks for."""
    for state in states:
        await earn(steward, asset, state)
        answer = await steward.admin.post(
            f"{ASSETS}/{asset['id']}/transitions",
            json={"to": state, "reason": f"time for {state}"},
            headers={"If-Match": f'"{asset["version"]}"'},
        )
        assert answer.status_code == 200, answer.text
        asset = answer.json()
    return asset
