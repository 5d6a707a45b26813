"""Where systems run and what for, which one stands for which, and which nodes share a load."""

from typing import Any

import httpx

from tests.harness import Harness
from tests.integration.inventory.requests import (
    NOBODY,
    NODE,
    NODES,
    SOFTWARE,
    SYSTEM,
    SYSTEMS,
    check_malformed,
    register_node,
    register_system,
)

SAME = {"name": "North archive", "software": SOFTWARE}


async def put(steward: Harness, url: str, thing: dict[str, Any], body: dict[str, Any]) -> httpx.Response:
    """The answer to a change of the thing as it was seen."""
    return await steward.admin.put(f"{url}/{thing['id']}", json=body, headers={"If-Match": f'"{thing["version"]}"'})


async def test_system_is_in_production_on_premises_unless_said(steward: Harness) -> None:
    """asset.changed tells it; what a change leaves out stays as it was."""
    system = await register_system(steward)
    assert (system["environment"], system["deployment"], system["mirrors"]) == ("production", "on_premises", None)
    wanted = {"environment": "test", "deployment": "cloud"}
    changed = (await put(steward, SYSTEMS, system, SAME | wanted)).json()
    assert changed == system | wanted | {"version": 2}
    event = await steward.heard.until("asset.changed", lambda event: event.data.version == 2)
    assert (event.data.environment, event.data.deployment) == ("test", "cloud")
    assert (await put(steward, SYSTEMS, changed, SAME)).json() == changed | {"version": 3}
    for wrong, field in (({"environment": "lab"}, "environment"), ({"deployment": None}, "deployment")):
        check_malformed(await steward.admin.post(SYSTEMS, json=SYSTEM | {"name": "x"} | wrong), field)


async def test_staging_stands_for_a_production_of_its_site(steward: Harness) -> None:
    """And for nothing else; as long as it does, that one stays in production."""
    production = await register_system(steward)
    far = await register_system(steward, site_id="south", name="South archive")
    staging = await register_system(steward, name="Staging", environment="staging", mirrors=production["id"])
    assert staging["mirrors"] == production["id"]
    event = await steward.heard.until("asset.changed", lambda event: event.subject == staging["id"])
    assert event.data.mirrors == production["id"]
    for mirrors, environment, status in (
        (production["id"], "production", 409),
        (far["id"], "staging", 409),
        (staging["id"], "staging", 409),
        (NOBODY, "staging", 404),
    ):
        body = SYSTEM | {"name": "Another", "environment": environment, "mirrors": mirrors}
        assert (await steward.admin.post(SYSTEMS, json=body)).status_code == status, mirrors
    north = steward.as_("nora", "operator:north")
    unseen = SYSTEM | {"name": "Another", "environment": "staging", "mirrors": far["id"]}
    assert (await north.post(SYSTEMS, json=unseen)).status_code == 404
    moved = await put(steward, SYSTEMS, production, SAME | {"environment": "test"})
    assert moved.status_code == 409
    assert "Staging" in moved.json()["detail"]
    alone = (await put(steward, SYSTEMS, staging, SAME | {"name": "Staging", "mirrors": None})).json()
    assert alone["mirrors"] is None
    assert (await put(steward, SYSTEMS, production, SAME | {"environment": "test"})).status_code == 200


async def test_nodes_share_a_load(steward: Harness) -> None:
    """The shared address and its members name the same cluster; one without a role in it is refused."""
    system = await register_system(steward)
    shared = await register_node(steward, system, cluster="storage", cluster_role="shared")
    member = await register_node(steward, system, port=11113, cluster="storage", cluster_role="member")
    event = await steward.heard.until("asset.changed", lambda event: event.subject == shared["id"])
    assert (event.data.cluster, event.data.cluster_role) == ("storage", "shared")
    body = NODE | {"system_id": system["id"], "port": 11113}
    kept = (await put(steward, NODES, member, body)).json()
    assert (kept["cluster"], kept["cluster_role"]) == ("storage", "member")
    check_malformed(await put(steward, NODES, kept, body | {"cluster": None}), "cluster")
    check_malformed(await steward.admin.post(NODES, json=body | {"port": 11114, "cluster": "storage"}), "cluster_role")
    left = (await put(steward, NODES, kept, body | {"cluster": None, "cluster_role": None})).json()
    assert (left["cluster"], left["cluster_role"]) == (None, None)
