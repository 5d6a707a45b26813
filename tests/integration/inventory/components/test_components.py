"""Components over HTTP and on the bus."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS, change, install, put
from tests.integration.inventory.imports.taking import counts, taken
from tests.integration.inventory.requests import ASSETS, NOBODY, check_malformed, move, post, register_system

BATTERY = {
    "site_id": "north",
    "type": "battery",
    "name": "UPS battery 1",
    "manufacturer": "Voltara",
    "model": "PowerCell 9",
    "serial": "QB-7781-204",
    "purchase_date": "2024-05-14",
}


async def test_registered_component_is_an_asset_and_published(steward: Harness) -> None:
    """asset.changed carries its facts; it is listed with the other assets, and its history begins."""
    system = await register_system(steward)
    ups = await install(steward, "ups", system_id=system["id"])
    battery = await post(steward, COMPONENTS, BATTERY | {"installed_in": ups["id"], "system_id": system["id"]})
    assert (battery["kind"], battery["state"], battery["version"]) == ("component", "in_service", 1)
    event = await steward.heard.until("asset.changed", lambda event: event.subject == battery["id"])
    assert (event.data.kind, event.data.system_id, event.site_id) == ("component", system["id"], "north")
    facts = event.data.component.model_dump(mode="json")
    assert facts.items() >= {"type": "battery", "serial": "QB-7781-204", "installed_in": ups["id"]}.items()
    assert facts["purchase_date"] == "2024-05-14"
    listed = (await steward.admin.get(ASSETS, params={"kind": "component"})).json()["items"]
    assert listed == [ups, battery]
    assert (await steward.admin.get(f"{ASSETS}/{battery['id']}")).json() == battery
    assert (await steward.admin.get(f"{COMPONENTS}/{battery['id']}")).json() == battery


async def test_raid_never_counts_as_a_copy(steward: Harness) -> None:
    """An array shows its level and its drives; nobody can say that it is a copy."""
    array = await install(steward, "array", raid_level="6")
    drives = [await install(steward, "drive", installed_in=array["id"], media_type="ssd") for _ in range(3)]
    assert array["counts_as_copy"] is False
    inside = (await steward.admin.get(COMPONENTS, params={"installed_in": array["id"]})).json()["items"]
    assert inside == drives
    claimed = await steward.admin.post(COMPONENTS, json=BATTERY | {"type": "array", "counts_as_copy": True})
    check_malformed(claimed, "counts_as_copy")


async def test_change_replaces_what_is_known_and_is_told(steward: Harness) -> None:
    """What is left out is not known any more; site and type stay; old versions are refused."""
    battery = await post(steward, COMPONENTS, BATTERY)
    url = f"{COMPONENTS}/{battery['id']}"
    body = {"name": "Spare battery", "serial": "QB 7781 205"}
    assert (await steward.admin.put(url, json=body)).status_code == 428
    answer = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
    gone = {"manufacturer": None, "model": None, "purchase_date": None}
    assert answer.json() == battery | body | gone | {"version": 2}
    assert (await steward.admin.get(url)).json() == answer.json()
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 412
    await steward.heard.until("asset.changed", lambda event: event.data.name == "Spare battery")


@pytest.mark.parametrize(
    "spelled",
    [
        *("QB-7781-204", "qb7781204", " QB 7781–204", "qb_7781_204", "QB\u00a07781\u2009204", "ＱＢ－７７８１－２０４"),
        *("QB‑7781‑204", "𝐐𝐁-7781-204", "QB\u200b7781\u00ad204", "\ufeffQB7781204\u200f"),
    ],
)
async def test_serial_is_one_within_its_manufacturer_however_it_is_spelled(steward: Harness, spelled: str) -> None:
    """The refusal names the other one to whoever may see it, and nobody else; another manufacturer's is no matter."""
    first = await post(steward, COMPONENTS, BATTERY)
    same = BATTERY | {"site_id": "south", "serial": spelled, "manufacturer": "VOLTARA"}
    seen = await steward.admin.post(COMPONENTS, json=same)
    assert (seen.status_code, seen.json()["component_id"]) == (409, first["id"])
    unseen = await steward.as_("bob", "operator:south").post(COMPONENTS, json=same)
    assert unseen.status_code == 409
    assert first["id"] not in unseen.text
    assert first["name"] not in unseen.text
    await post(steward, COMPONENTS, same | {"manufacturer": "Amperion"})


@pytest.mark.parametrize("serial", ["", " ", "\u00a0", "QB\x007781", "QB\n7781"])
async def test_serial_that_nobody_can_read_is_refused(steward: Harness, serial: str) -> None:
    """Blank, or in more than one line."""
    refused = await steward.admin.post(COMPONENTS, json=BATTERY | {"serial": serial})
    check_malformed(refused, "serial")


async def test_letters_that_compose_are_one_serial(steward: Harness) -> None:
    """As one sign or as two, in whatever case."""
    first = await post(steward, COMPONENTS, BATTERY | {"serial": "Å-77é"})
    again = await steward.admin.post(COMPONENTS, json=BATTERY | {"serial": "a\u030a 77E\u0301"})
    assert (again.status_code, again.json()["component_id"]) == (409, first["id"])


async def test_purchase_lies_in_the_future_by_the_calendar_of_the_site(steward: Harness) -> None:
    """What is today where days begin first is tomorrow, or later, where they begin last."""
    for site_id, zone in (("first", "Pacific/Kiritimati"), ("last", "Pacific/Pago_Pago")):
        await post(steward, "/inventory/v1/sites", {"id": site_id, "name": zone, "time_zone": zone})
    today = datetime.now(ZoneInfo("Pacific/Kiritimati")).date().isoformat()
    bought = BATTERY | {"purchase_date": today, "warranty_until": None}
    await post(steward, COMPONENTS, bought | {"site_id": "first", "serial": "one"})
    refused = await steward.admin.post(COMPONENTS, json=bought | {"site_id": "last", "serial": "two"})
    check_malformed(refused, "purchase_date")
    sheet = f"site,type,name,serial,purchase_date\nfirst,ups,One,U1,{today}\nlast,ups,Two,U2,{today}"
    ended = await taken(steward, sheet, "components", errors="skip")
    assert counts(ended) == (1, 0, 0, 1)


async def test_serial_is_free_again_after_the_end(steward: Harness) -> None:
    """What is closed or cancelled keeps its number and bars nobody from it."""
    first = await post(steward, COMPONENTS, BATTERY | {"state": "proposed"})
    await move(steward, first, "cancelled")
    await post(steward, COMPONENTS, BATTERY)


async def test_battery_is_in_one_ups(steward: Harness) -> None:
    """The same battery can't be registered in a second one; to be moved it leaves the first."""
    first, second = await install(steward, "ups"), await install(steward, "ups")
    battery = await post(steward, COMPONENTS, BATTERY | {"installed_in": first["id"]})
    again = await steward.admin.post(COMPONENTS, json=BATTERY | {"installed_in": second["id"]})
    assert (again.status_code, again.json()["component_id"]) == (409, battery["id"])
    moved = await change(steward, battery, installed_in=second["id"])
    assert moved["installed_in"] == second["id"]
    for ups, inside in ((first, []), (second, [moved])):
        listed = await steward.admin.get(COMPONENTS, params={"installed_in": ups["id"]})
        assert listed.json()["items"] == inside


async def test_only_sensible_things_are_installed_in_each_other(steward: Harness) -> None:
    """A battery in a switch, a UPS in anything: 422 says where it could be."""
    switch, ups = await install(steward, "switch"), await install(steward, "ups")
    refused = await steward.admin.post(COMPONENTS, json=BATTERY | {"installed_in": switch["id"]})
    check_malformed(refused, "installed_in")
    assert "ups" in refused.text
    check_malformed(
        await put(steward, ups, {"name": "UPS", "installed_in": switch["id"]}),
        "installed_in",
    )


async def test_nothing_is_installed_in_itself(steward: Harness) -> None:
    """A ring is refused, and the way round it named."""
    outer = await install(steward, "server", name="outer")
    middle = await install(steward, "server", name="middle", installed_in=outer["id"])
    inner = await install(steward, "server", name="inner", installed_in=middle["id"])
    ring = await put(steward, outer, {"name": "outer", "installed_in": inner["id"]})
    assert (ring.status_code, ring.json()["cycle"]) == (409, ["outer", "inner", "middle", "outer"])
    itself = await put(steward, outer, {"name": "outer", "installed_in": outer["id"]})
    assert (itself.status_code, itself.json()["cycle"]) == (409, ["outer", "outer"])


async def test_what_another_site_has_is_as_if_absent(steward: Harness) -> None:
    """Holders and systems of another site read like none at all, also to who may see them."""
    far = await install(steward, "ups", site_id="south")
    system = await register_system(steward, site_id="south", name="South archive")
    for name, theirs, what in (("installed_in", far["id"], "component"), ("system_id", system["id"], "system")):
        for given in (theirs, NOBODY):
            answer = await steward.admin.post(COMPONENTS, json=BATTERY | {name: given})
            assert (answer.status_code, answer.json()["detail"]) == (404, f"no {what} {given}")
    south = steward.as_("bob", "operator:south")
    assert (await south.post(COMPONENTS, json=BATTERY)).status_code == 404
    mine = await install(steward, "ups")
    assert (await south.get(f"{COMPONENTS}/{mine['id']}")).status_code == 404
    put_theirs = await south.put(f"{COMPONENTS}/{mine['id']}", json={"name": "x"}, headers={"If-Match": '"1"'})
    assert put_theirs.status_code == 404
    assert (await south.get(COMPONENTS)).json()["items"] == [far]


async def test_product_is_one_of_the_catalogue(steward: Harness) -> None:
    """An id that no product has would leave the end of support unknown for ever: 404, also when it comes later."""
    vendor = await post(steward, "/inventory/v1/vendors", {"name": "Voltara"})
    product = await post(
        steward, "/inventory/v1/products", {"vendor_id": vendor["id"], "name": "PowerCell 9", "type": "battery"}
    )
    absent = await steward.admin.post(COMPONENTS, json=BATTERY | {"product_id": NOBODY})
    assert (absent.status_code, absent.json()["detail"]) == (404, f"no product {NOBODY}")
    battery = await post(steward, COMPONENTS, BATTERY | {"product_id": product["id"]})
    assert (await put(steward, battery, {"name": "Battery", "product_id": NOBODY})).status_code == 404
    assert (await change(steward, battery, name="Battery"))["product_id"] == product["id"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"purchase_date": (datetime.now(UTC) + timedelta(days=3)).date().isoformat()}, "purchase_date"),
        ({"purchase_date": "1979-12-31"}, "purchase_date"),
        ({"purchase_date": 20240514}, "purchase_date"),
        ({"installed_on": "2190-01-01"}, "installed_on"),
        ({"warranty_until": "2024-05-13"}, "warranty_until"),
        ({"media_type": "ssd"}, "media_type"),
        ({"raid_level": "5"}, "raid_level"),
        ({"capacity_bytes": 0}, "capacity_bytes"),
        ({"capacity_bytes": 5}, "capacity_bytes"),
        ({"type": "toaster"}, "type"),
        ({"serial": ""}, "serial"),
        ({"host": "http://ups"}, "host"),
        ({"fields": {"colour": "blue"}}, "fields"),
        ({"fields": [1]}, "fields"),
    ],
)
async def test_what_cannot_be_is_refused(steward: Harness, wrong: dict[str, Any], field: str) -> None:
    """422 names field, rule and example; nothing is stored."""
    check_malformed(await steward.admin.post(COMPONENTS, json=BATTERY | wrong), field)
    assert (await steward.admin.get(COMPONENTS)).json()["items"] == []


async def test_component_moves_through_its_lifecycle_and_then_rests(steward: Harness) -> None:
    """It is moved as every asset is; its new state is filtered by, and after the end nothing about it changes."""
    battery = await post(steward, COMPONENTS, BATTERY | {"state": "proposed"})
    battery = await move(steward, battery, "cancelled")
    assert (battery["state"], battery["type"], battery["serial"]) == ("cancelled", "battery", "QB-7781-204")
    listed = await steward.admin.get(COMPONENTS, params={"state": "cancelled"})
    assert listed.json()["items"] == [battery]
    assert (await put(steward, battery, {"name": "again"})).status_code == 409
    ups = await move(steward, await install(steward, "ups", state="proposed"), "cancelled")
    joined = await steward.admin.post(COMPONENTS, json=BATTERY | {"installed_in": ups["id"]})
    assert joined.status_code == 409
