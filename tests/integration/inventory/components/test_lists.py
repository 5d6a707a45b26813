"""Finding components: filters, words, pages."""

from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS, install
from tests.integration.inventory.requests import check_malformed, post, register_system

GROUPS = "/inventory/v1/groups"
FIELDS = "/inventory/v1/fields"


async def names(steward: Harness, *grants: str, **query: Any) -> list[str]:
    """The names of what a list shows, to an administrator or to somebody with grants."""
    who = steward.as_("somebody", *grants) if grants else steward.admin
    answer = await who.get(COMPONENTS, params=query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def test_filters_can_be_joined(steward: Harness) -> None:
    """By each fact that a component has, and by several at once."""
    system = await register_system(steward)
    array = await install(steward, "array", name="array", system_id=system["id"], manufacturer="Northlight")
    old = {"purchase_date": "2019-05-01", "manufacturer": "Seaquest  Inc", "model": "Vault 8", "serial": "S-1"}
    await install(steward, "drive", name="old", installed_in=array["id"], asset_tag="NGH-1", **old)
    new = old | {"purchase_date": "2025-05-01", "serial": "S-2", "software_version": "3.1"}
    await install(steward, "drive", name="new", site_id="south", **new)
    expected: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["array", "old", "new"]),
        ({"type": "drive"}, ["old", "new"]),
        ({"site_id": "north"}, ["array", "old"]),
        ({"site_id": "nowhere"}, []),
        ({"system_id": system["id"]}, ["array"]),
        ({"installed_in": array["id"]}, ["old"]),
        ({"manufacturer": "SEAQUEST inc"}, ["old", "new"]),
        ({"manufacturer": "seaquest inc", "model": "vault 8", "site_id": "south"}, ["new"]),
        ({"model": "Vault 8", "type": "array"}, []),
        ({"serial": "s 1"}, ["old"]),
        ({"asset_tag": "ngh1"}, ["old"]),
        ({"software_version": "3.1"}, ["new"]),
        ({"purchased_before": "2025-05-01"}, ["old"]),
        ({"purchased_after": "2025-05-01"}, ["new"]),
        ({"state": "in_service", "type": "array"}, ["array"]),
        ({"state": "retiring"}, []),
    ]
    for query, found in expected:
        assert await names(steward, **query) == found, query
    for query in ({"colour": "blue"}, {"type": "toaster"}, {"purchased_before": "soon"}, {"installed_in": "x"}):
        assert (await steward.admin.get(COMPONENTS, params=query)).status_code == 422


async def test_words_are_found_wherever_they_stand(steward: Harness) -> None:
    """Parts of words, in any order and case, in name, serial, tag, manufacturer, model and host; all must be there."""
    facts = {"manufacturer": "Voltara", "model": "PowerCell 9", "serial": "QB-7781-204", "asset_tag": "NGH-4711"}
    await install(steward, "ups", name="Basement UPS, café", host="ups1.north.example.org", **facts)
    await install(steward, "ups", name="100% spare_part", site_id="south")
    for words in ("basement", "BASE ups", "7781", "qb7781", "powercell volt", "4711", "ups1.north", "CAFÉ", "ups 9"):
        assert await names(steward, q=words) == ["Basement UPS, café"], words
    for words in ("basement spare", "7782", "%%%a", "basement\\ "):
        answer = await steward.admin.get(COMPONENTS, params={"q": words})
        assert answer.status_code == 422 or answer.json()["items"] == [], words
    assert await names(steward, q="100% spare_") == ["100% spare_part"]
    assert await names(steward, "viewer:south", q="ups1") == []
    check_malformed(await steward.admin.get(COMPONENTS, params={"q": "u p"}), "q")


async def test_group_shows_the_sites_of_all_groups_in_it(steward: Harness) -> None:
    """Of those, what the caller may see."""
    outer = await post(steward, GROUPS, {"name": "Country"})
    inner = await post(steward, GROUPS, {"name": "Region", "parent_id": outer["id"]})
    await post(
        steward,
        "/inventory/v1/sites",
        {"id": "west", "name": "West", "time_zone": "UTC", "group_id": inner["id"]},
    )
    await install(steward, "ups", name="here", site_id="west")
    await install(steward, "ups", name="elsewhere")
    assert await names(steward, group_id=outer["id"]) == await names(steward, group_id=inner["id"]) == ["here"]
    assert await names(steward, group_id=outer["id"], site_id="north") == []
    assert await names(steward, "viewer:north", group_id=outer["id"]) == []


async def test_own_fields_are_filtered_by(steward: Harness) -> None:
    """As they are defined for the type, which must be named."""
    for name, kind in (("rack_units", "number"), ("virtual", "boolean"), ("bay", "text")):
        await post(steward, FIELDS, {"component_type": "server", "name": name, "label": name, "kind": kind})
    await install(steward, "server", name="flat", fields={"rack_units": 1, "virtual": False, "bay": "A:1"})
    await install(steward, "server", name="tall", fields={"rack_units": 4, "virtual": False})
    assert await names(steward, type="server", field="rack_units:4") == ["tall"]
    assert await names(steward, type="server", field=["rack_units:1.0", "virtual:false"]) == ["flat"]
    assert await names(steward, type="server", field="bay:A:1") == ["flat"]
    for query, name in (
        ({"field": "rack_units:4"}, "type"),
        ({"type": "server", "field": "colour:4"}, "field"),
        ({"type": "server", "field": "rack_units"}, "field"),
        ({"type": "server", "field": "rack_units:tall"}, "fields.rack_units"),
    ):
        check_malformed(await steward.admin.get(COMPONENTS, params=query), name)


@pytest.mark.parametrize("query", [{}, {"q": "drive"}, {"type": "drive"}])
async def test_pages_show_each_component_once(steward: Harness, query: dict[str, str]) -> None:
    """However the list was asked for."""
    rows = [{"site_id": "north", "type": "drive", "name": f"Drive {n}"} for n in range(25)]
    await steward.admin.post(f"{COMPONENTS}/bulk", json={"rows": rows})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await steward.admin.get(COMPONENTS, params=query | cursor | {"limit": 10})).json()
        seen += [item["name"] for item in page["items"]]
        cursor = {"cursor": page["next"]}
    assert page["next"] is None
    assert seen == [row["name"] for row in rows]
