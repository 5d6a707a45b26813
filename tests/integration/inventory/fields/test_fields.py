"""Custom fields over HTTP, and what they ask of components."""

from typing import Any

import httpx
import pytest

from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS, change, install, put
from tests.integration.inventory.requests import check_malformed, post

FIELDS = "/inventory/v1/fields"
UNITS = {
    **{"component_type": "server", "name": "rack_units", "label": "Height", "kind": "number"},
    **{"unit": "U", "minimum": 1, "maximum": 50},
}
SERVER = {"site_id": "north", "type": "server", "name": "A server"}


async def redefine(steward: Harness, field: dict[str, Any], **changes: Any) -> httpx.Response:
    """The answer to a change of the field as it was seen."""
    body = {name: field[name] for name in ("label", "required", "unit", "minimum", "maximum", "choices")} | changes
    etag = {"If-Match": f'"{field["version"]}"'}
    return await steward.admin.put(f"{FIELDS}/{field['id']}", json=body, headers=etag)


async def test_field_is_told_of_and_seen_by_all(steward: Harness) -> None:
    """field.changed carries the definition; all may see it, and only the group's administrator defines."""
    field = await post(steward, FIELDS, UNITS)
    event = await steward.heard.until("field.changed")
    assert (event.subject, event.site_id, event.data.name, event.data.maximum) == (
        field["id"],
        "group",
        "rack_units",
        50,
    )
    nora = steward.as_("nora", "group-admin:north")
    assert (await nora.get(FIELDS, params={"component_type": "server"})).json()["items"] == [field]
    assert (await nora.get(f"{FIELDS}/{field['id']}")).json() == field
    assert (await nora.post(FIELDS, json=UNITS)).status_code == 403
    assert (await steward.admin.post(FIELDS, json=UNITS)).status_code == 409


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Rack units"}, "name"),
        ({"minimum": 51}, "maximum"),
        ({"kind": "text"}, "unit"),
        ({"kind": "choice", "unit": None, "minimum": None, "maximum": None}, "choices"),
        ({"choices": ["a"]}, "choices"),
        ({"kind": "colour"}, "kind"),
        ({"minimum": "low"}, "minimum"),
    ],
)
async def test_definition_that_cannot_be_is_refused(steward: Harness, wrong: dict[str, Any], field: str) -> None:
    """422 names the field."""
    check_malformed(await steward.admin.post(FIELDS, json=UNITS | wrong), field)


async def test_values_keep_their_definition(steward: Harness) -> None:
    """What it does not allow is refused by the field's name, and so is a field of another type."""
    await post(steward, FIELDS, UNITS)
    server = await install(steward, "server", fields={"rack_units": 4})
    assert server["fields"] == {"rack_units": 4}
    for value in (0, 51, "4", True):
        answer = await steward.admin.post(COMPONENTS, json=SERVER | {"fields": {"rack_units": value}})
        check_malformed(answer, "fields.rack_units")
    answer = await steward.admin.post(COMPONENTS, json=SERVER | {"type": "ups", "fields": {"rack_units": 4}})
    check_malformed(answer, "fields")


async def test_change_that_would_break_values_is_refused_with_their_number(steward: Harness) -> None:
    """Narrower limits, another unit, no field at all: each while values are there that it would break."""
    field = await post(steward, FIELDS, UNITS)
    servers = [await install(steward, "server", fields={"rack_units": height}) for height in (1, 2, 4)]
    for changes, broken in (({"minimum": 2}, 1), ({"maximum": 1}, 2), ({"unit": "cm"}, 3)):
        refused = await redefine(steward, field, **changes)
        assert (refused.status_code, refused.json()["broken"]) == (409, broken)
    url, seen = f"{FIELDS}/{field['id']}", {"If-Match": '"1"'}
    gone = await steward.admin.delete(url, headers=seen)
    assert (gone.status_code, gone.json()["broken"]) == (409, 3)
    assert (await redefine(steward, field, maximum=4, label="Rack units")).status_code == 200
    for server in servers:
        await change(steward, server, fields={})
    assert (await steward.admin.delete(url, headers={"If-Match": '"2"'})).status_code == 200
    await steward.heard.until("field.changed", lambda event: event.data.deleted)


async def test_choice_that_is_taken_stays(steward: Harness) -> None:
    """One that nobody has made may go."""
    choice = {"component_type": "ups", "name": "role", "label": "Role", "kind": "choice", "choices": ["a", "b", "c"]}
    field = await post(steward, FIELDS, choice)
    await install(steward, "ups", fields={"role": "b"})
    refused = await redefine(steward, field, choices=["a", "c"])
    assert (refused.status_code, refused.json()["broken"]) == (409, 1)
    assert (await redefine(steward, field, choices=["b"])).status_code == 200


async def test_field_that_comes_to_be_required_is_asked_of_new_components_only(steward: Harness) -> None:
    """What is there already may stay without; once it has a value it keeps one."""
    field = await post(steward, FIELDS, UNITS)
    old = await install(steward, "server")
    assert (await redefine(steward, field, required=True)).status_code == 200
    check_malformed(await steward.admin.post(COMPONENTS, json=SERVER), "fields")
    old = await change(steward, old, name="still without")
    old = await change(steward, old, fields={"rack_units": 2})
    check_malformed(await put(steward, old, {"name": "without again"}), "fields")
