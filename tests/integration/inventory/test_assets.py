"""Systems and nodes over HTTP and on the bus."""

import asyncio
from typing import Any

from tests.harness import Harness
from tests.integration.inventory.requests import (
    ASSETS,
    HOSTILE,
    NOBODY,
    NODE,
    NODES,
    SOFTWARE,
    SYSTEM,
    SYSTEMS,
    check_malformed,
    move,
    post,
    register_node,
    register_system,
    without,
)

TO_CLOSED = ("retiring", "migrated", "isolated", "sanitized", "disposed", "closed")


async def test_registered_system_is_in_service_and_published(steward: Harness) -> None:
    """An existing system is adopted as it stands; asset.changed carries its full state and who registered it."""
    answer = await steward.as_("alice", "operator:north").post(SYSTEMS, json=SYSTEM)
    assert answer.status_code == 201, answer.text
    system = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert (system["state"], system["kind"], system["software"]) == ("in_service", "system", SOFTWARE)
    event = await steward.heard.until("asset.changed")
    assert (event.subject, event.site_id, event.actor) == (system["id"], "north", "alice")
    assert (event.data.kind, event.data.name, event.data.state) == ("system", "North archive", "in_service")
    assert event.data.software.model_dump() == SOFTWARE
    assert event.data.dicom is None


async def test_registered_node_is_at_the_site_of_its_system(steward: Harness) -> None:
    """asset.changed carries the DICOM address in its one spelling, and the system."""
    system = await register_system(steward)
    node = await register_node(steward, system, ae_title="  NORTH PACS ", host="PACS.North.Example.org", port=104)
    assert (node["site_id"], node["system_id"]) == ("north", system["id"])
    event = await steward.heard.until("asset.changed", lambda event: event.subject == node["id"])
    assert (event.data.kind, event.data.system_id, event.site_id) == ("node", system["id"], "north")
    address = {"ae_title": "NORTH PACS", "host": "pacs.north.example.org", "port": 104, "role": "archive"}
    assert event.data.dicom.model_dump() == address
    assert node.items() >= address.items()


async def test_asset_that_is_only_wished_for_starts_proposed(steward: Harness) -> None:
    """``proposed`` is the only other state to start in."""
    assert (await register_system(steward, state="proposed"))["state"] == "proposed"
    answer = await steward.admin.post(SYSTEMS, json=SYSTEM | {"name": "Other", "state": "closed"})
    assert answer.status_code == 422


async def test_change_is_published_with_the_next_version(steward: Harness) -> None:
    """A PUT on the seen version is stored, answered and told; without If-Match or on an old version it is refused."""
    system = await register_system(steward)
    url = f"{SYSTEMS}/{system['id']}"
    body = {"name": "Main archive", "software": SOFTWARE | {"version": "5.3.0"}}
    assert (await steward.admin.put(url, json=body)).status_code == 428
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"7"'})).status_code == 412
    answer = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (await steward.admin.get(url)).json() == answer.json() == system | body | {"version": 2}
    event = await steward.heard.until("asset.changed", lambda event: event.data.version == 2)
    assert (event.data.name, event.data.software.version) == ("Main archive", "5.3.0")


async def test_node_may_move_to_another_system_of_its_site_only(steward: Harness) -> None:
    """Within the site it is repointed; another site's system is refused."""
    first, second = await register_system(steward), await register_system(steward, name="New archive")
    far = await register_system(steward, site_id="south", name="South archive")
    node = await register_node(steward, first)
    url = f"{NODES}/{node['id']}"
    body = NODE | {"system_id": far["id"]}
    refused = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
    assert refused.status_code == 409
    moved = await steward.admin.put(url, json=body | {"system_id": second["id"]}, headers={"If-Match": '"1"'})
    assert moved.json() == node | {"system_id": second["id"], "version": 2}


async def test_lists_show_what_is_asked_for(steward: Harness) -> None:
    """Filters by site, kind, state and system; pages by cursor."""
    north = await register_system(steward)
    south = await register_system(steward, site_id="south", name="South archive", state="proposed")
    node = await register_node(steward, north)

    async def ids(url: str, **query: Any) -> list[str]:
        return [item["id"] for item in (await steward.admin.get(url, params=query)).json()["items"]]

    assert await ids(ASSETS) == [north["id"], south["id"], node["id"]]
    assert await ids(ASSETS, site_id="south") == [south["id"]]
    assert await ids(ASSETS, kind="node") == await ids(NODES) == [node["id"]]
    assert await ids(ASSETS, state="proposed") == await ids(SYSTEMS, state="proposed") == [south["id"]]
    assert await ids(ASSETS, system_id=north["id"]) == await ids(NODES, system_id=north["id"]) == [node["id"]]
    first = (await steward.admin.get(ASSETS, params={"limit": 2})).json()
    assert first["items"] == [north, south]
    last = (await steward.admin.get(ASSETS, params={"limit": 2, "cursor": first["next"]})).json()
    assert last == {"items": [node], "next": None}
    assert (await steward.admin.get(f"{ASSETS}/{node['id']}")).json() == node
    assert (await steward.admin.get(ASSETS, params={"state": "broken"})).status_code == 422


async def test_assets_of_others_do_not_exist_for_you(steward: Harness) -> None:
    """An operator of south neither sees nor changes what is north's, and is told no more than of what never was."""
    system = await register_system(steward)
    node = await register_node(steward, system)
    south = steward.as_("bob", "operator:south")
    for url in (ASSETS, SYSTEMS, NODES):
        assert (await south.get(url, params={"site_id": "north"})).json() == {"items": [], "next": None}
    any_version = {"If-Match": '"1"'}
    for theirs in (system["id"], NOBODY):
        answers = [
            await south.get(f"{ASSETS}/{theirs}"),
            await south.get(f"{ASSETS}/{theirs}/transitions"),
            await south.post(
                f"{ASSETS}/{theirs}/transitions", json={"to": "retiring", "reason": "mine"}, headers=any_version
            ),
            await south.get(f"{SYSTEMS}/{theirs}"),
            await south.put(f"{SYSTEMS}/{theirs}", json=without(SYSTEM, "site_id"), headers=any_version),
            await south.post(NODES, json=NODE | {"system_id": theirs}),
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["detail"] for answer in answers} == {f"no asset {theirs}", f"no system {theirs}"}
    theirs = f"{NODES}/{node['id']}"
    assert (await south.get(theirs)).status_code == 404
    assert (await south.put(theirs, json=NODE | {"system_id": system["id"]}, headers=any_version)).status_code == 404
    assert (await south.post(SYSTEMS, json=SYSTEM)).status_code == 404


async def test_viewer_sees_and_changes_nothing(steward: Harness) -> None:
    """403: the thing is there, the role is not."""
    system = await register_system(steward)
    viewer = steward.as_("eve", "viewer:north", "operator:south")
    url = f"{SYSTEMS}/{system['id']}"
    assert (await viewer.get(url)).status_code == 200
    changed = await viewer.put(url, json=without(SYSTEM, "site_id"), headers={"If-Match": '"1"'})
    moved = await viewer.post(
        f"{ASSETS}/{system['id']}/transitions", json={"to": "retiring", "reason": "x"}, headers={"If-Match": '"1"'}
    )
    assert (changed.status_code, moved.status_code) == (403, 403)
    assert (await viewer.post(SYSTEMS, json=SYSTEM | {"name": "Mine"})).status_code == 403


async def test_names_and_addresses_are_taken_by_the_living(steward: Harness) -> None:
    """A live system's name and a live node's address are taken at their site; elsewhere, and after the end, free."""
    system = await register_system(steward)
    assert (await steward.admin.post(SYSTEMS, json=SYSTEM)).status_code == 409
    south = await register_system(steward, site_id="south")
    node = await register_node(steward, system)
    again = {"system_id": system["id"]} | NODE | {"name": "The same, spelled otherwise", "ae_title": " NORTH_PACS "}
    assert (await steward.admin.post(NODES, json=again)).status_code == 409
    await register_node(steward, system, ae_title="OTHER")
    await register_node(steward, south)
    await move(steward, node, *TO_CLOSED)
    await register_node(steward, system, name="Successor")


async def test_change_to_a_taken_name_or_address_is_refused(steward: Harness) -> None:
    """409, and nothing has changed."""
    system, other = await register_system(steward), await register_system(steward, name="Other")
    await register_node(steward, system)
    node = await register_node(steward, system, port=11113)
    version = {"If-Match": '"1"'}
    renamed = await steward.admin.put(f"{SYSTEMS}/{other['id']}", json=without(SYSTEM, "site_id"), headers=version)
    body = {"system_id": system["id"]} | NODE
    readdressed = await steward.admin.put(f"{NODES}/{node['id']}", json=body, headers=version)
    assert (renamed.status_code, readdressed.status_code) == (409, 409)
    assert (await steward.admin.get(f"{NODES}/{node['id']}")).json() == node


async def test_nothing_joins_or_changes_what_has_ended(steward: Harness) -> None:
    """A closed system takes no node and no new name; an unknown one takes no node either."""
    system = await move(steward, await register_system(steward, deployment="cloud"), *TO_CLOSED)
    joined = await steward.admin.post(NODES, json=NODE | {"system_id": system["id"]})
    changed = await steward.admin.put(
        f"{SYSTEMS}/{system['id']}",
        json=without(SYSTEM, "site_id"),
        headers={"If-Match": f'"{system["version"]}"'},
    )
    assert (joined.status_code, changed.status_code) == (409, 409)
    assert "closed" in joined.json()["detail"]
    assert (await steward.admin.post(NODES, json=NODE | {"system_id": NOBODY})).status_code == 404
    assert (await steward.admin.post(SYSTEMS, json=SYSTEM | {"site_id": "west"})).status_code == 404


async def test_node_is_no_system(steward: Harness) -> None:
    """A node's id opens no system, and a node can't belong to a node."""
    node = await register_node(steward, await register_system(steward))
    assert (await steward.admin.get(f"{SYSTEMS}/{node['id']}")).status_code == 404
    assert (await steward.admin.post(NODES, json=NODE | {"system_id": node["id"]})).status_code == 404


async def test_of_simultaneous_changes_one_wins(steward: Harness) -> None:
    """Of two PUTs on the same version one is stored and the other is stale, time and again."""
    system = await register_system(steward)
    url = f"{SYSTEMS}/{system['id']}"
    for version in range(1, 6):
        seen = {"If-Match": f'"{version}"'}
        bodies = [{"name": f"{name} {version}", "software": SOFTWARE} for name in ("Left", "Right")]
        answers = await asyncio.gather(*(steward.admin.put(url, json=body, headers=seen) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        stored = (await steward.admin.get(url)).json()
        assert [stored] == [answer.json() for answer in answers if answer.status_code == 200]


async def test_of_simultaneous_registrations_one_wins(steward: Harness) -> None:
    """Of two POSTs of the same name, or the same address, one is made and the other conflicts."""
    for number in range(5):
        body = SYSTEM | {"name": f"Archive {number}"}
        answers = await asyncio.gather(*(steward.admin.post(SYSTEMS, json=body) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [201, 409]
    system = await register_system(steward)
    node = NODE | {"system_id": system["id"]}
    answers = await asyncio.gather(*(steward.admin.post(NODES, json=node) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


async def test_repeated_registration_with_its_key_makes_one_asset(steward: Harness) -> None:
    """Also when both arrive at once: the second is given the first one's answer."""
    key = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(steward.admin.post(SYSTEMS, json=SYSTEM, headers=key) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await steward.admin.get(SYSTEMS)).json()["items"]) == 1


async def test_malformed_system_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field, the rule and an example for each of them, and nothing is stored."""
    faults: list[tuple[str, dict[str, Any]]] = [
        ("site_id", {"site_id": "North"}),
        *(("name", {"name": name}) for name in ("x" * 10_000, "   ", "a\u0000b", "a\nb", 7)),
        ("software", {"software": None}),
        ("software.version", {"software": SOFTWARE | {"version": ""}}),
        ("software.edition", {"software": SOFTWARE | {"edition": "gold"}}),
        ("colour", {"colour": "blue"}),
        ("id", {"id": NOBODY}),
    ]
    for field, change in faults:
        answer = await steward.admin.post(SYSTEMS, json=SYSTEM | change)
        check_malformed(answer, field)
    assert (await steward.admin.get(ASSETS)).json()["items"] == []


async def test_malformed_node_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field, the rule and an example for each of them, and no node is stored."""
    system = await register_system(steward)
    faults: list[tuple[str, Any]] = [
        *(("ae_title", title) for title in ("SEVENTEEN_LETTERS", "NORTH\\PACS", "    ", "", "NORTH\tPACS", "NÖRD", 7)),
        *(("port", port) for port in (0, 70000, -1, 104.5, "104", True, 10**30)),
        *(("host", host) for host in ("", "pacs north", "http://pacs", "10.1", "a" * 254, "[::1]", "pacs\u0000")),
        *(("role", role) for role in ("printer", None)),
        *(("system_id", system_id) for system_id in ("7", "north", None)),
        ("name", "x" * 10_000),
        ("site_id", "north"),
    ]
    for field, value in faults:
        answer = await steward.admin.post(NODES, json={"system_id": system["id"]} | NODE | {field: value})
        check_malformed(answer, field)
    assert (await steward.admin.get(NODES)).json()["items"] == []


async def test_unreadable_bodies_are_refused(steward: Harness) -> None:
    """Broken JSON, JSON of another kind, invalid UTF-8 and lone surrogates are 422; 2 MiB are 413."""
    json_type = {"Content-Type": "application/json"}
    for content in [*HOSTILE, b'{"site_id": "north", "name": "\\ud800", "software": {}}']:
        answer = await steward.admin.post(SYSTEMS, content=content, headers=json_type)
        assert answer.status_code == 422, content[:40]
        assert answer.headers["content-type"] == "application/problem+json"
    large = await steward.admin.post(SYSTEMS, json=SYSTEM | {"name": "x" * 2 * 1024 * 1024})
    assert large.status_code == 413
    assert large.headers["content-type"] == "application/problem+json"
    assert (await steward.admin.get(SYSTEMS)).json()["items"] == []


async def test_malformed_paths_and_versions_are_refused(steward: Harness) -> None:
    """An id that is none, an If-Match that is none."""
    system = await register_system(steward)
    assert (await steward.admin.get(f"{ASSETS}/7")).status_code == 422
    url = f"{SYSTEMS}/{system['id']}"
    for version in ("1", '"x"', "*", '"' + "9" * 30 + '"'):
        answer = await steward.admin.put(url, json=without(SYSTEM, "site_id"), headers={"If-Match": version})
        assert answer.status_code == 422


async def test_registered_in_upper_case_id_is_found(steward: Harness) -> None:
    """An id is the same in either case (RFC 9562 §4)."""
    system = await post(steward, SYSTEMS, SYSTEM)
    assert (await steward.admin.get(f"{SYSTEMS}/{system['id'].upper()}")).json() == system
