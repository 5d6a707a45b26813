"""Vendors, products and versions over HTTP and on the bus."""

import asyncio
from typing import Any

import pytest

from services.inventory.vendors.domain import SupportEndsOn, SupportNotAnnounced, SupportUnknown
from services.inventory.vendors.handlers import find_vendor_called, support_of, support_of_called
from shared.errors import NotFound
from tests.harness import Harness
from tests.integration.inventory.requests import HOSTILE, NOBODY, check_malformed, post

VENDORS = "/inventory/v1/vendors"
PRODUCTS = "/inventory/v1/products"
VERSIONS = "/inventory/v1/product-versions"
PHILIPS = {"name": "Philips B.V.", "aliases": ["Phillips", "Royal Philips"]}
SAID = {"source": "Lifecycle notice 11", "stated_on": "2025-11-03"}


async def sell(steward: Harness, **changes: Any) -> dict[str, Any]:
    """A product of a vendor."""
    vendor = await post(steward, VENDORS, PHILIPS)
    return await post(
        steward,
        PRODUCTS,
        {"vendor_id": vendor["id"], "name": "Vue PACS", "aliases": ["Carestream Vue"]} | {"type": "system"} | changes,
    )


async def test_vendor_is_found_under_every_name(steward: Harness) -> None:
    """By alias, whatever the case, the punctuation and the legal form; what merely resembles finds nothing."""
    vendor = await post(steward, VENDORS, PHILIPS)
    await post(steward, VENDORS, {"name": "Northlight Imaging GmbH"})
    viewer = steward.as_("eve", "viewer:south")
    for search in ("philips", "PHILLIPS", "phillips, inc.", "royal-philips", "royal"):
        assert (await viewer.get(VENDORS, params={"search": search})).json()["items"] == [vendor], search
    assert (await viewer.get(VENDORS, params={"search": "Filips"})).json()["items"] == []
    async with steward.pools["inventory"].acquire() as conn:
        found = await find_vendor_called(conn, "PHILLIPS INC")
        assert (found and found.id) == vendor["id"]
        assert await find_vendor_called(conn, "Royal") is None


async def test_a_name_stands_for_one_vendor(steward: Harness) -> None:
    """409 for a name or alias that is another vendor's in any spelling; one's own may move between both."""
    vendor = await post(steward, VENDORS, PHILIPS)
    for twin in ({"name": "PHILIPS Inc."}, {"name": "Carestream", "aliases": ["phillips"]}):
        refused = await steward.admin.post(VENDORS, json=twin)
        assert refused.status_code == 409, refused.text
    assert (await steward.admin.get(VENDORS)).json()["items"] == [vendor]
    renamed = {"name": "Royal Philips", "aliases": ["Philips", "philips n.v."]}
    changed = await steward.admin.put(f"{VENDORS}/{vendor['id']}", json=renamed, headers={"If-Match": '"1"'})
    assert changed.json()["aliases"] == ["Philips"]
    assert (await steward.admin.post(VENDORS, json={"name": "Phillips"})).status_code == 201


async def test_of_simultaneous_registrations_one_wins(steward: Harness) -> None:
    """Two vendors of one spelling: 201 and 409."""
    names = ("Sectra AB", "SECTRA")
    made = await asyncio.gather(*(steward.admin.post(VENDORS, json={"name": name}) for name in names))
    assert sorted(answer.status_code for answer in made) == [201, 409]


async def test_products_are_found_under_every_name_of_a_vendor(steward: Harness) -> None:
    """Two vendors may sell products of one name; one vendor may not."""
    product = await sell(steward)
    other = await post(steward, VENDORS, {"name": "Northlight"})
    twin = {"vendor_id": other["id"], "name": "VUE-PACS", "type": "system"}
    sold = await post(steward, PRODUCTS, twin)
    assert (await steward.admin.post(PRODUCTS, json=twin | {"name": "vue pacs"})).status_code == 409
    found = (await steward.admin.get(PRODUCTS, params={"search": "carestream"})).json()["items"]
    assert found == [product]
    found = (await steward.admin.get(PRODUCTS, params={"vendor_id": other["id"], "type": "system"})).json()["items"]
    assert found == [sold]
    assert (await steward.admin.post(PRODUCTS, json=twin | {"vendor_id": NOBODY})).status_code == 404
    moved = {"vendor_id": other["id"], "name": "Vue PACS", "type": "system"}
    check_malformed(
        await steward.admin.put(f"{PRODUCTS}/{product['id']}", json=moved, headers={"If-Match": '"1"'}), "vendor_id"
    )


async def test_support_has_three_answers(steward: Harness) -> None:
    """A day, "no end announced", and "unknown" are kept apart from the request to the answer of a question."""
    product = await sell(steward)
    ends = {"state": "ends_on", "on": "2028-12-31", **SAID}
    for number, support in (
        ("12.1", ends),
        ("12.2", {"state": "not_announced", **SAID}),
        ("12.3", {"state": "unknown"}),
    ):
        await post(steward, VERSIONS, {"product_id": product["id"], "number": number, "support": support})
    async with steward.pools["inventory"].acquire() as conn:
        answers = [await support_of(conn, product["id"], number) for number in ("v12.1.0", "12.2", "12.3", "13")]
        assert [type(answer) for answer in answers] == [
            SupportEndsOn,
            SupportNotAnnounced,
            SupportUnknown,
            SupportUnknown,
        ]
        by_name = await support_of_called(conn, "PHILLIPS", "carestream vue", "12.1")
        assert by_name == answers[0]
        assert await support_of_called(conn, "Filips", "Vue PACS", "12.1") == SupportUnknown()
        with pytest.raises(NotFound):
            await support_of(conn, NOBODY, "1")
    assert by_name.model_dump(mode="json") == ends


async def test_versions_are_listed_and_change(steward: Harness) -> None:
    """A new statement replaces the old one; 428, 412 and 409 as everywhere."""
    product = await sell(steward)
    body = {"product_id": product["id"], "number": "12.1", "released_on": "2024-05-14"}
    version = await post(steward, VERSIONS, body)
    url = f"{VERSIONS}/{version['id']}"
    stated = body | {"support": {"state": "ends_on", "on": "2028-12-31", **SAID}}
    assert (await steward.admin.put(url, json=stated)).status_code == 428
    changed = await steward.admin.put(url, json=stated, headers={"If-Match": '"1"'})
    assert (changed.json()["support"], changed.headers["etag"]) == (stated["support"], '"2"')
    assert (await steward.admin.put(url, json=stated, headers={"If-Match": '"1"'})).status_code == 412
    assert (await steward.admin.post(VERSIONS, json=body)).status_code == 409
    listed = (await steward.admin.get(VERSIONS, params={"product_id": product["id"]})).json()
    assert listed == {"items": [changed.json()], "next": None}
    event = await steward.heard.until("product_version.changed", lambda event: event.data.version == 2)
    assert (event.subject, event.site_id, event.data.support.state) == (version["id"], "group", "ends_on")


async def test_all_read_and_only_the_groups_administrator_changes(steward: Harness) -> None:
    """Who administers a site, even as group-admin of it alone, is refused with 403."""
    product = await sell(steward)
    vendor = {"name": "Northlight"}
    for grants in (("viewer:south",), ("site-admin:*",), ("group-admin:south",)):
        client = steward.as_("bob", *grants)
        assert (await client.post(VENDORS, json=vendor)).status_code == 403
        assert (await client.get(f"{PRODUCTS}/{product['id']}")).json() == product
    for url in (VENDORS, PRODUCTS, VERSIONS):
        assert (await steward.admin.get(f"{url}/{NOBODY}")).status_code == 404


async def test_changes_are_kept_with_what_was_before(steward: Harness) -> None:
    """Everybody may read the history of the catalogue."""
    vendor = await post(steward, VENDORS, PHILIPS)
    changed = {"name": "Philips", "aliases": []}
    headers = {"If-Match": '"1"', "Change-Reason": "they wrote so"}
    await steward.admin.put(f"{VENDORS}/{vendor['id']}", json=changed, headers=headers)
    history = await steward.as_("eve", "viewer:south").get("/inventory/v1/history", params={"thing_id": vendor["id"]})
    last = history.json()["items"][-1]
    assert (last["kind"], last["before"]["name"], last["after"]["name"]) == ("vendor", "Philips B.V.", "Philips")
    assert last["reason"] == "they wrote so"


async def test_malformed_catalogue_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field, the rule and an example."""
    product = await sell(steward)
    sold = {"vendor_id": product["vendor_id"], "name": "Other", "type": "system"}
    version = {"product_id": product["id"], "number": "1"}
    faults: list[tuple[str, dict[str, Any], str]] = [
        (VENDORS, {"name": ""}, "name"),
        (VENDORS, {"name": "N", "aliases": ["x"] * 51}, "aliases"),
        (VENDORS, {"name": "N", "aliases": [7]}, "aliases.0"),
        (VENDORS, {"name": "N", "site_id": "north"}, "site_id"),
        (PRODUCTS, sold | {"type": "toaster"}, "type"),
        (PRODUCTS, sold | {"cpe": "cpe:/a:x"}, "cpe"),
        (PRODUCTS, sold | {"purl": "npm/x"}, "purl"),
        (VERSIONS, version | {"released_on": 20260101}, "released_on"),
        (VERSIONS, version | {"released_on": "2026-02-30"}, "released_on"),
        (VERSIONS, version | {"released_on": "9999-01-01"}, "released_on"),
        (VERSIONS, version | {"support": {"state": "ends_on", **SAID}}, "support.ends_on.on"),
        (VERSIONS, version | {"support": {"state": "soon"}}, "support"),
    ]
    for url, body, field in faults:
        check_malformed(await steward.admin.post(url, json=body), field)
    for content in HOSTILE:
        answer = await steward.admin.post(PRODUCTS, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, content[:40]
