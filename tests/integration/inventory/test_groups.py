"""Groups of sites, and where sites lie."""

from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.requests import NOBODY, check_malformed, post

GROUPS = "/inventory/v1/groups"
SITES = "/inventory/v1/sites"
PLACE = {"latitude": 54.7833, "longitude": 9.4333, "gateway": "GW.north.example.org", "address": "1 Harbour Road"}


async def change(steward: Harness, group: dict[str, Any], **changes: Any) -> Any:
    """The answer to a change of the group as it was seen."""
    body = {"name": group["name"], "parent_id": group["parent_id"]} | changes
    etag = {"If-Match": f'"{group["version"]}"'}
    return await steward.admin.put(f"{GROUPS}/{group['id']}", json=body, headers=etag)


async def test_groups_are_nested_and_told_of(steward: Harness) -> None:
    """group.changed carries the full state; the groups in one are listed."""
    outer = await post(steward, GROUPS, {"name": "Country"})
    inner = await post(steward, GROUPS, {"name": "Region", "parent_id": outer["id"]})
    event = await steward.heard.until("group.changed", lambda event: event.subject == inner["id"])
    assert (event.site_id, event.data.name, event.data.parent_id) == ("group", "Region", outer["id"])
    assert (await steward.admin.get(GROUPS, params={"parent_id": outer["id"]})).json()["items"] == [inner]
    seen = await steward.as_("nora", "viewer:north").get(f"{GROUPS}/{inner['id']}")
    assert seen.json() == inner


async def test_group_in_itself_is_refused_and_the_way_round_named(steward: Harness) -> None:
    """Also when it is many groups long."""
    first = await post(steward, GROUPS, {"name": "first"})
    second = await post(steward, GROUPS, {"name": "second", "parent_id": first["id"]})
    third = await post(steward, GROUPS, {"name": "third", "parent_id": second["id"]})
    ring = await change(steward, first, parent_id=third["id"])
    assert (ring.status_code, ring.json()["cycle"]) == (409, ["first", "third", "second", "first"])
    itself = await change(steward, first, parent_id=first["id"])
    assert (itself.status_code, itself.json()["cycle"]) == (409, ["first", "first"])


async def test_name_is_one_in_its_place(steward: Harness) -> None:
    """Elsewhere it may stand again; a parent that is none is 404."""
    first = await post(steward, GROUPS, {"name": "Region"})
    assert (await steward.admin.post(GROUPS, json={"name": "Region"})).status_code == 409
    await post(steward, GROUPS, {"name": "Region", "parent_id": first["id"]})
    assert (await steward.admin.post(GROUPS, json={"name": "x", "parent_id": NOBODY})).status_code == 404


async def test_only_an_empty_group_goes(steward: Harness) -> None:
    """What is in it is named; gone, it is told of once more."""
    outer = await post(steward, GROUPS, {"name": "Country"})
    inner = await post(steward, GROUPS, {"name": "Region", "parent_id": outer["id"]})
    await post(steward, SITES, {"id": "west", "name": "West", "time_zone": "UTC", "group_id": inner["id"]})
    any_version = {"If-Match": '"1"'}
    for group, inside in ((outer, "Region"), (inner, "west")):
        refused = await steward.admin.delete(f"{GROUPS}/{group['id']}", headers=any_version)
        assert refused.status_code == 409
        assert inside in refused.json()["detail"]
    left = {"name": "West", "time_zone": "UTC", "group_id": None}
    assert (await steward.admin.put(f"{SITES}/west", json=left, headers=any_version)).status_code == 200
    assert (await steward.admin.delete(f"{GROUPS}/{inner['id']}", headers=any_version)).status_code == 200
    await steward.heard.until("group.changed", lambda event: event.data.deleted)
    assert (await steward.admin.get(f"{GROUPS}/{inner['id']}")).status_code == 404


async def test_only_who_administers_the_whole_group_changes_groups(steward: Harness) -> None:
    """An administrator of one site sees them, and may not."""
    group = await post(steward, GROUPS, {"name": "Country"})
    nora = steward.as_("nora", "group-admin:north")
    assert (await nora.post(GROUPS, json={"name": "Mine"})).status_code == 403
    assert (await nora.delete(f"{GROUPS}/{group['id']}", headers={"If-Match": '"1"'})).status_code == 403


async def test_site_knows_where_it_lies_and_keeps_it(steward: Harness) -> None:
    """site.changed tells it; a change that does not speak of it leaves it, null takes it away."""
    group = await post(steward, GROUPS, {"name": "Country"})
    place = PLACE | {"group_id": group["id"]}
    site = await post(steward, SITES, {"id": "west", "name": "West", "time_zone": "UTC", **place})
    assert site.items() >= (place | {"gateway": "gw.north.example.org"}).items()
    event = await steward.heard.until("site.changed", lambda event: event.subject == "west")
    assert (event.data.latitude, event.data.gateway) == (54.7833, "gw.north.example.org")
    assert (event.data.group_id, event.data.address) == (group["id"], "1 Harbour Road")
    renamed = {"name": "Far west", "time_zone": "UTC"}
    after = (await steward.admin.put(f"{SITES}/west", json=renamed, headers={"If-Match": '"1"'})).json()
    assert after == site | renamed | {"version": 2}
    bare = renamed | dict.fromkeys(place)
    after = (await steward.admin.put(f"{SITES}/west", json=bare, headers={"If-Match": '"2"'})).json()
    assert after == site | bare | {"version": 3}
    assert (await steward.admin.get(SITES, params={"group_id": group["id"]})).json()["items"] == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"latitude": 91.0, "longitude": 0.0}, "latitude"),
        ({"latitude": 0.0, "longitude": -181.0}, "longitude"),
        ({"latitude": 54.0}, "longitude"),
        ({"longitude": 9.0}, "latitude"),
        ({"gateway": "no host"}, "gateway"),
        ({"address": "two\nlines"}, "address"),
        ({"group_id": "Country"}, "group_id"),
    ],
)
async def test_place_that_cannot_be_is_refused(steward: Harness, wrong: dict[str, Any], field: str) -> None:
    """Half a coordinate, one off the globe, a gateway that is no host."""
    site = {"id": "west", "name": "West", "time_zone": "UTC"}
    check_malformed(await steward.admin.post(SITES, json=site | wrong), field)
