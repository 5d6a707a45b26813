"""What inventory finds out for a gate by itself: what is recorded, alive, and valid by the calendar of the site."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from services.inventory.assets.handlers import find_asset
from services.inventory.lifecycle.facts import facts_of
from services.inventory.policies.domain import Fact
from tests.harness import Harness
from tests.integration.inventory.components.parts import install
from tests.integration.inventory.contracts.test_contracts import agree
from tests.integration.inventory.documents.files import uploaded
from tests.integration.inventory.lifecycle.steps import ask_move, gate, why
from tests.integration.inventory.requests import PEOPLE, PERSON, SYSTEMS, move, post, register_node, register_system
from tests.integration.inventory.vendors.test_vendors import PRODUCTS, SAID, VENDORS, VERSIONS
from tests.unit.inventory.software.boms import LOG4J, sbom

NORTH = ZoneInfo("Europe/Berlin")


async def said(steward: Harness, asset: dict[str, Any], fact: Fact, now: datetime | None = None) -> str | None:
    """Why a fact is not so at that instant; None where it is."""
    async with steward.pools["inventory"].acquire() as conn:
        facts = await facts_of(conn, await find_asset(conn, asset["id"]), now or datetime.now(UTC))
    return facts.said[fact]


def last_minute(day: date) -> datetime:
    """Of a day at site north, while in UTC it is that day still or already."""
    return datetime.combine(day, time(23, 59), NORTH)


async def test_paper_and_contract_count_to_the_last_minute_of_their_day_at_the_site(steward: Harness) -> None:
    """Not a minute longer, though in UTC the day goes on for an hour or two; a newer paper counts again."""
    system = await register_system(steward)
    ends = datetime.now(NORTH).date() + timedelta(days=100)
    await agree(steward, asset_ids=[system["id"]], ends=str(ends))
    of_it: dict[str, Any] = {"kind": "sbom", "asset_ids": [system["id"]]}
    await uploaded(steward.admin, sbom(LOG4J), "bom.cdx.json", valid_until=str(ends), **of_it)
    last = last_minute(ends)
    over = last + timedelta(minutes=1)
    assert over.astimezone(UTC).date() == ends
    whys: tuple[tuple[Fact, str], ...] = (
        ("support_contact", "no support contract in force names whom to call"),
        ("sbom", "its document of the kind sbom is not valid any more"),
    )
    for fact, why_not in whys:
        assert await said(steward, system, fact, last) is None
        assert await said(steward, system, fact, over) == why_not
    await uploaded(steward.admin, sbom(LOG4J), "newer.cdx.json", **of_it)
    assert await said(steward, system, "sbom", over) is None


async def test_hardware_is_what_can_be_carried_and_was_not_cancelled(steward: Harness) -> None:
    """Neither a licence nor a server that never came."""
    system = await register_system(steward)
    await install(steward, "licence", system_id=system["id"])
    server = await install(steward, "server", system_id=system["id"], state="proposed")
    assert await said(steward, system, "hardware_recorded") is None
    await move(steward, server, "cancelled")
    assert await said(steward, system, "hardware_recorded") == "no hardware component is recorded"


async def test_support_that_the_catalogue_knows_needs_no_paper(steward: Harness) -> None:
    """An end, or that none is announced, is an answer; what nobody knows is none."""
    system = await register_system(steward)
    unknown = "the catalogue does not know until when Northlight Imaging Archive One 5.2.1 is supported"
    assert await said(steward, system, "support_dates") == unknown
    vendor = await post(steward, VENDORS, {"name": "Northlight Imaging"})
    product = await post(steward, PRODUCTS, {"vendor_id": vendor["id"], "name": "Archive One", "type": "system"})
    body = {"product_id": product["id"], "number": "5.2.1"}
    version = await post(steward, VERSIONS, body)
    assert await said(steward, system, "support_dates") == unknown
    for number, support in enumerate(({"state": "not_announced"}, {"state": "ends_on", "on": "2028-12-31"}), 1):
        url, headers = f"{VERSIONS}/{version['id']}", {"If-Match": f'"{number}"'}
        told = await steward.admin.put(url, json=body | {"support": support | SAID}, headers=headers)
        assert told.status_code == 200, told.text
        assert await said(steward, system, "support_dates") is None


async def test_owner_is_who_has_the_role_that_the_gate_names(steward: Harness) -> None:
    """The gate's own words lead to what it asks for."""
    system = await register_system(steward, state="proposed")
    [lacking] = [one for one in (await gate(steward, system, "planned"))["missing"] if one["kind"] == "owner"]
    assert "clinical_owner" in lacking["how"]
    await post(steward, PEOPLE, PERSON | {"roles": ["clinical_owner"]})
    assert await why(steward, system, "planned", "owner") is None


async def test_what_others_depend_on_or_mirror_is_not_cancelled(steward: Harness) -> None:
    """In each state before service, nodes too; a staging system that is gone itself holds nothing up."""
    system = await register_system(steward, state="proposed")
    node = await register_node(steward, system, state="proposed")
    other = await register_system(steward, name="Reporting")
    links = [
        await post(steward, "/inventory/v1/links", {"kind": "depends_on", "from_id": other["id"], "to_id": one["id"]})
        for one in (system, node)
    ]
    mirror = {"name": "Staging", "environment": "staging", "mirrors": system["id"], "state": "proposed"}
    staging = await register_system(steward, **mirror)
    for asset in (system, node):
        refused = (await ask_move(steward, asset, "cancelled")).json()["missing"]
        assert "no_dependents" in [one["kind"] for one in refused]
    for link in links:
        url = f"/inventory/v1/links/{link['id']}"
        assert (await steward.admin.delete(url, headers={"If-Match": '"1"'})).status_code == 200
    assert (await ask_move(steward, node, "cancelled")).status_code == 200
    assert await why(steward, system, "cancelled", "no_dependents") == "still mirrored by Staging"
    await move(steward, staging, "cancelled")
    assert (await ask_move(steward, system, "cancelled")).status_code == 200


async def test_production_that_is_mirrored_is_not_isolated(steward: Harness) -> None:
    """Until the staging system stands for another one."""
    system = await register_system(steward)
    await register_system(steward, name="Staging", environment="staging", mirrors=system["id"])
    system = await move(steward, system, "retiring", "migrated")
    assert await why(steward, system, "isolated", "no_dependents") == "still mirrored by Staging"
    [staging] = [one for one in (await steward.admin.get(SYSTEMS)).json()["items"] if one["name"] == "Staging"]
    body = {"name": "Staging", "software": staging["software"], "environment": "staging", "mirrors": None}
    url = f"{SYSTEMS}/{staging['id']}"
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 200
    assert await why(steward, system, "isolated", "no_dependents") is None
