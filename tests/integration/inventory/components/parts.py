"""Short ways to make and change components."""

from typing import Any

import httpx

from tests.harness import Harness
from tests.integration.inventory.requests import post

COMPONENTS = "/inventory/v1/components"
OWN = frozenset({"id", "kind", "site_id", "type", "state", "version", "counts_as_copy"})


async def install(steward: Harness, kind: str, **facts: Any) -> dict[str, Any]:
    """A component of that type, at site north unless said otherwise."""
    return await post(steward, COMPONENTS, {"site_id": "north", "type": kind, "name": f"A {kind}"} | facts)


async def put(steward: Harness, component: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
    """The answer to a change of the component as it was seen."""
    url = f"{COMPONENTS}/{component['id']}"
    return await steward.admin.put(url, json=body, headers={"If-Match": f'"{component["version"]}"'})


async def change(steward: Harness, component: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """The component with other facts."""
    body = {name: value for name, value in component.items() if name not in OWN} | facts
    answer = await put(steward, component, body)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed
