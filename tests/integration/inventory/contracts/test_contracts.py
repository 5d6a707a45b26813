"""Contracts over HTTP: what they cover, whom to call, and who sees which of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.inventory.contracts.domain import EXAMPLE
from services.inventory.contracts.handlers import contracts_of
from tests.harness import Harness
from tests.integration.inventory.documents.files import uploaded
from tests.integration.inventory.requests import (
    NOBODY,
    check_malformed,
    post,
    register_node,
    register_system,
    without,
)

CONTRACTS = "/inventory/v1/contracts"
VENDORS = "/inventory/v1/vendors"


async def agree(steward: Harness, **changes: Any) -> dict[str, Any]:
    """A support contract of site north with Northlight unless changed, in force for a thousand days."""
    return await post(steward, CONTRACTS, await terms(steward, **changes))


async def terms(steward: Harness, **changes: Any) -> dict[str, Any]:
    """What is sent for it."""
    vendors = (await steward.admin.get(VENDORS)).json()["items"]
    vendor = vendors[0] if vendors else await post(steward, VENDORS, {"name": "Northlight Imaging GmbH"})
    today = datetime.now(UTC).date()
    days = {"starts": str(today - timedelta(days=10)), "ends": str(today + timedelta(days=1000))}
    return EXAMPLE | {"site_id": "north", "vendor_id": vendor["id"], "asset_ids": []} | days | changes


@pytest.mark.seed("81")
async def test_every_system_shows_whom_to_call(steward: Harness) -> None:
    """Its vendor's support contact with the escalation path in its order; without one, what to do about it."""
    system = await register_system(steward)
    url = f"/inventory/v1/systems/{system['id']}/support"
    viewer = steward.as_("eve", "viewer:north")
    bare = (await viewer.get(url)).json()
    assert (bare["contracts"], bare["system_id"]) == ([], system["id"])
    assert "POST /inventory/v1/contracts" in bare["missing"]
    await agree(steward, asset_ids=[system["id"]])
    support = (await viewer.get(url)).json()
    [covering] = support["contracts"]
    assert (support["missing"], covering["in_force"], covering["vendor_name"]) == (
        None,
        True,
        "Northlight Imaging GmbH",
    )
    assert covering["escalation"] == [level | {"email": level.get("email")} for level in EXAMPLE["escalation"]]
    assert covering["contact"]["email"] == EXAMPLE["contact"]["email"]


async def test_what_is_not_in_force_is_no_support(steward: Harness) -> None:
    """A contract to come and one that is over are shown, and the missing one is said to be missing."""
    system = await register_system(steward)
    today = datetime.now(UTC).date()
    over = {"starts": "2020-01-01", "ends": str(today - timedelta(days=3)), "number": "OLD"}
    to_come = {"starts": str(today + timedelta(days=3)), "number": "NEW"}
    for days in (over, to_come):
        await agree(steward, asset_ids=[system["id"]], **days)
    support = (await steward.admin.get(f"/inventory/v1/systems/{system['id']}/support")).json()
    assert {one["number"]: one["in_force"] for one in support["contracts"]} == {"OLD": False, "NEW": False}
    assert support["missing"]


async def test_a_contract_covers_assets_of_its_site(steward: Harness) -> None:
    """One of another site reads as absent; one of the group covers any."""
    north, south = await register_system(steward), await register_system(steward, site_id="south")
    for asset_id in (south["id"], NOBODY):
        refused = await steward.admin.post(CONTRACTS, json=await terms(steward, asset_ids=[asset_id]))
        assert (refused.status_code, refused.json()["detail"]) == (404, f"no asset {asset_id}")
    both = sorted([north["id"], south["id"]])
    shared = await agree(steward, site_id="group", asset_ids=[*both, both[0]])
    assert shared["asset_ids"] == both
    node = await register_node(steward, north)
    async with steward.pools["inventory"].acquire() as conn:
        for asset in (north, south, node):
            assert [one.id for one in await contracts_of(conn, asset["id"])] == [shared["id"]]


async def test_the_signed_paper_is_a_document_of_the_site_or_the_group(steward: Harness) -> None:
    """One of another site, and one that there is none of, read as absent."""
    papers = {site: (await uploaded(steward.admin, site_id=site))["id"] for site in ("north", "south", "group")}
    for site, status in (("south", 404), ("north", 201), ("group", 201)):
        body = await terms(steward, document_id=papers[site], number=f"SUP-{site}")
        assert (await steward.admin.post(CONTRACTS, json=body)).status_code == status, site
    absent = await steward.admin.post(CONTRACTS, json=await terms(steward, document_id=NOBODY))
    assert (absent.status_code, absent.json()["detail"]) == (404, f"no document {NOBODY}")


async def test_a_contract_of_the_group_shows_each_site_its_own_assets(steward: Harness) -> None:
    """All may read it and see what it covers at their sites; only the group's administrator changes it."""
    north, south = await register_system(steward), await register_system(steward, site_id="south")
    shared = await agree(steward, site_id="group", asset_ids=[north["id"], south["id"]])
    url = f"{CONTRACTS}/{shared['id']}"
    bob = steward.as_("bob", "site-admin:south")
    assert (await bob.get(url)).json()["asset_ids"] == [south["id"]]
    [listed] = (await bob.get(CONTRACTS, params={"asset_id": south["id"]})).json()["items"]
    assert listed["asset_ids"] == [south["id"]]
    assert (await bob.get(CONTRACTS, params={"asset_id": north["id"]})).json()["items"] == []
    history = await bob.get("/inventory/v1/history", params={"thing_id": shared["id"]})
    assert history.json()["items"]
    assert north["id"] not in history.text
    body = without(await terms(steward), "site_id")
    assert (await bob.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 403
    assert (await bob.post(CONTRACTS, json=await terms(steward, site_id="group"))).status_code == 403


async def test_contracts_of_others_do_not_exist_for_you(steward: Harness) -> None:
    """Neither in lists nor by id; a viewer sees and can't change."""
    contract = await agree(steward)
    url = f"{CONTRACTS}/{contract['id']}"
    body = without(await terms(steward), "site_id")
    south = steward.as_("bob", "site-admin:south")
    assert (await south.get(CONTRACTS)).json() == {"items": [], "next": None}
    assert (await south.post(CONTRACTS, json=await terms(steward))).status_code == 404
    for theirs in (contract["id"], NOBODY):
        answers = [
            await south.get(f"{CONTRACTS}/{theirs}"),
            await south.put(f"{CONTRACTS}/{theirs}", json=body, headers={"If-Match": '"1"'}),
        ]
        assert {(one.status_code, one.json()["detail"]) for one in answers} == {(404, f"no contract {theirs}")}
    viewer = steward.as_("eve", "viewer:north")
    assert (await viewer.get(url)).json() == contract
    assert (await viewer.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 403


async def test_change_is_published_and_kept(steward: Harness) -> None:
    """428, 412, and 200 with the next version; the number stays one a site, vendor and kind."""
    system = await register_system(steward)
    contract = await agree(steward)
    url = f"{CONTRACTS}/{contract['id']}"
    body = without(await terms(steward, asset_ids=[system["id"]]), "site_id")
    assert (await steward.admin.put(url, json=body)).status_code == 428
    changed = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["asset_ids"]) == (200, [system["id"]])
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 412
    event = await steward.heard.until("contract.changed", lambda event: event.data.version == 2)
    assert (event.subject, event.site_id, event.data.asset_ids) == (contract["id"], "north", [system["id"]])
    assert (await steward.admin.post(CONTRACTS, json=await terms(steward))).status_code == 409
    assert (await steward.admin.post(CONTRACTS, json=await terms(steward, vendor_id=NOBODY))).status_code == 404
    assert (await steward.admin.post(CONTRACTS, json=await terms(steward, site_id="west"))).status_code == 404


async def test_of_simultaneous_changes_one_wins(steward: Harness) -> None:
    """Two PUTs on one version: 200 and 412."""
    contract = await agree(steward)
    body = without(await terms(steward), "site_id")
    changed = await asyncio.gather(
        *(
            steward.admin.put(
                f"{CONTRACTS}/{contract['id']}", json=body | {"notice_days": days}, headers={"If-Match": '"1"'}
            )
            for days in (30, 60)
        )
    )
    assert sorted(answer.status_code for answer in changed) == [200, 412]


async def test_malformed_contract_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field, the rule and an example, and nothing is stored."""
    level = EXAMPLE["escalation"][0]
    faults: list[tuple[str, dict[str, Any]]] = [
        ("kind", {"kind": "handshake"}),
        ("ends", {"ends": None}),
        ("ends", {"review_on": "2030-01-01"}),
        ("ends", {"ends": "1999-01-01"}),
        ("starts", {"starts": 0}),
        ("notice_days", {"notice_days": 731}),
        ("escalation", {"escalation": []}),
        ("escalation.0", {"escalation": [without(level, "phone", "email")]}),
        ("escalation.0.time_zone", {"escalation": [level | {"time_zone": "UTC+1"}]}),
        ("contact", {"contact": {"name": "Ada"}}),
        ("asset_ids.0", {"asset_ids": ["x"]}),
        ("asset_ids", {"asset_ids": [NOBODY] * 501}),
        ("price", {"price": 1}),
    ]
    for field, change in faults:
        check_malformed(await steward.admin.post(CONTRACTS, json=await terms(steward, **change)), field)
    assert (await steward.admin.get(CONTRACTS)).json()["items"] == []
