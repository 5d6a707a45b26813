"""The lifecycle over HTTP and on the bus."""

import asyncio
from typing import Any

import pytest

from services.inventory.lifecycle.handlers import move_asset
from shared.errors import TooLarge
from shared.transactions import begin
from tests.harness import Harness
from tests.integration.inventory.earning import earn
from tests.integration.inventory.requests import (
    ASSETS,
    NODE,
    NODES,
    check_malformed,
    move,
    register_node,
    register_system,
)

NEARLY_CLOSED = ("retiring", "migrated", "isolated", "sanitized", "disposed")


async def test_move_is_published_and_kept_in_the_history(steward: Harness) -> None:
    """asset.transitioned tells from where to where and why; asset.changed the new state; the history who and when."""
    system = await register_system(steward)
    await earn(steward, system, "maintenance")
    answer = await steward.as_("alice", "operator:north").post(
        f"{ASSETS}/{system['id']}/transitions",
        json={"to": "maintenance", "reason": "A fan is replaced"},
        headers={"If-Match": '"1"'},
    )
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert answer.json() == system | {"state": "maintenance", "version": 2}
    event = await steward.heard.until("asset.transitioned")
    assert (event.subject, event.site_id, event.actor) == (system["id"], "north", "alice")
    told = event.data.model_dump(exclude={"evidence", "evidence_omitted", "decision_id"})
    assert told == {
        "from_state": "in_service",
        "to_state": "maintenance",
        "reason": "A fan is replaced",
        "policy_version": 1,
    }
    statement, waiver = event.data.evidence
    [said] = (await steward.admin.get(f"{ASSETS}/{system['id']}/evidence")).json()["items"]
    [waived] = (await steward.admin.get(f"{ASSETS}/{system['id']}/waivers")).json()["items"]
    assert (statement, waiver) == (said["id"], f"waiver {waived['id']}")
    changed = await steward.heard.until("asset.changed", lambda event: event.data.version == 2)
    assert (changed.data.state, changed.correlation_id) == ("maintenance", event.correlation_id)
    [made] = (await steward.admin.get(f"{ASSETS}/{system['id']}/transitions")).json()["items"]
    assert (made["actor"], made["reason"]) == ("alice", "A fan is replaced")
    assert (made["from_state"], made["to_state"]) == ("in_service", "maintenance")
    assert made["at"].endswith("Z")


async def test_asset_is_retired_at_closed_and_not_before(steward: Harness) -> None:
    """asset.retired comes once, with the move to closed; the history has every step, oldest first, in pages."""
    system = await register_system(steward, deployment="cloud")
    closed = await move(steward, system, *NEARLY_CLOSED, "closed")
    assert closed["state"] == "closed"
    retired = await steward.heard.until("asset.retired")
    assert retired.subject == system["id"]
    dossier = (await steward.admin.get(f"{ASSETS}/{system['id']}/dossier")).json()
    told = {"kind": "system", "name": "North archive", "reason": "time for closed"}
    assert retired.data.model_dump() == {**told, "dossier_sha256": dossier["sha256"]}
    await steward.heard.until("asset.transitioned", lambda event: event.data.to_state == "closed")
    assert [event.type for event in steward.heard.events].count("asset.retired") == 1
    url = f"{ASSETS}/{system['id']}/transitions"
    first = (await steward.admin.get(url, params={"limit": 4})).json()
    rest = (await steward.admin.get(url, params={"limit": 4, "cursor": first["next"]})).json()
    assert [made["to_state"] for made in first["items"] + rest["items"]] == [*NEARLY_CLOSED, "closed"]


async def test_move_that_is_not_allowed_says_which_are(steward: Harness) -> None:
    """409 with the allowed moves, in words and as a member; nothing is stored or published."""
    system = await register_system(steward)
    answer = await steward.admin.post(
        f"{ASSETS}/{system['id']}/transitions",
        json={"to": "closed", "reason": "in a hurry"},
        headers={"If-Match": '"1"'},
    )
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["allowed"] == ["maintenance", "degraded", "retiring"]
    assert "maintenance or degraded or retiring" in answer.json()["detail"]
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}")).json() == system
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}/transitions")).json()["items"] == []


async def test_system_does_not_end_before_its_nodes(steward: Harness) -> None:
    """Closing names the nodes that still live; once they are closed or cancelled, the system can be closed."""
    system = await register_system(steward, deployment="cloud")
    storage = await register_node(steward, system)
    wished = await register_node(steward, system, name="CT 2", port=11113, state="proposed")
    system = await move(steward, system, *NEARLY_CLOSED)
    answer = await steward.admin.post(
        f"{ASSETS}/{system['id']}/transitions",
        json={"to": "closed", "reason": "dossier sealed"},
        headers={"If-Match": f'"{system["version"]}"'},
    )
    assert answer.status_code == 409
    assert {node["id"] for node in answer.json()["nodes"]} == {storage["id"], wished["id"]}
    assert "CT 2, Storage" in answer.json()["detail"]
    await move(steward, storage, *NEARLY_CLOSED, "closed")
    await move(steward, wished, "cancelled")
    assert (await move(steward, system, "closed"))["state"] == "closed"


async def test_node_never_joins_a_system_that_is_being_closed(steward: Harness) -> None:
    """Whichever comes first, no closed system has a live node."""
    for number in range(5):
        system = await move(steward, await _in_the_cloud(steward, number), *NEARLY_CLOSED)
        await earn(steward, system, "closed")
        closed, joined = await asyncio.gather(
            steward.admin.post(
                f"{ASSETS}/{system['id']}/transitions",
                json={"to": "closed", "reason": "dossier sealed"},
                headers={"If-Match": f'"{system["version"]}"'},
            ),
            steward.admin.post(NODES, json=NODE | {"system_id": system["id"], "port": 11200 + number}),
        )
        assert (closed.status_code, joined.status_code) in {(200, 409), (409, 201)}


async def test_of_simultaneous_moves_one_wins(steward: Harness) -> None:
    """Two moves on the same version: one is made, the other is stale."""
    system = await register_system(steward)
    await earn(steward, system, "maintenance")
    answers = await asyncio.gather(
        *(
            steward.admin.post(
                f"{ASSETS}/{system['id']}/transitions",
                json={"to": state, "reason": "at once"},
                headers={"If-Match": '"1"'},
            )
            for state in ("maintenance", "degraded")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert len((await steward.admin.get(f"{ASSETS}/{system['id']}/transitions")).json()["items"]) == 1


async def test_malformed_move_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field; without If-Match it is 428."""
    system = await register_system(steward)
    url = f"{ASSETS}/{system['id']}/transitions"
    body = {"to": "retiring", "reason": "x"}
    faults: list[tuple[str, dict[str, Any]]] = [
        ("to", body | {"to": "sold"}),
        ("reason", {"to": "retiring"}),
        ("reason", body | {"reason": "  "}),
        ("reason", body | {"reason": "x" * 10_001}),
        ("force", body | {"force": True}),
    ]
    for field, sent in faults:
        check_malformed(await steward.admin.post(url, json=sent, headers={"If-Match": '"1"'}), field)
    assert (await steward.admin.post(url, json=body)).status_code == 428


async def test_command_whose_event_would_be_too_large_changes_nothing(steward: Harness) -> None:
    """The longest reason that HTTP takes fits; a handler that is given more raises TooLarge (413), all undone."""
    system = await register_system(steward)
    await earn(steward, system, "retiring")
    pool = steward.pools["inventory"]
    with pytest.raises(TooLarge) as refused:
        async with begin(pool, "inventory", actor="alice") as tx:
            await move_asset(tx, system["id"], 1, "retiring", "x" * 50_000)
    assert refused.value.status == 413
    assert (await steward.admin.get(f"{ASSETS}/{system['id']}")).json() == system
    assert await pool.fetchval("SELECT count(*) FROM transitions") == 0
    longest = await steward.admin.post(
        f"{ASSETS}/{system['id']}/transitions",
        json={"to": "retiring", "reason": "\U0001f5c4" * 10_000},
        headers={"If-Match": '"1"'},
    )
    assert longest.status_code == 200


async def _in_the_cloud(steward: Harness, number: int) -> dict[str, Any]:
    return await register_system(steward, name=f"Archive {number}", deployment="cloud")
