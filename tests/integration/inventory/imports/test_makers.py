"""Whose a serial number is in a file: rows find their component under all names of its vendor, or within its site."""

from tests.harness import Harness
from tests.integration.inventory.imports.taking import counts, taken
from tests.integration.inventory.requests import post

COMPONENTS, VENDORS, PRODUCTS = (f"/inventory/v1/{name}" for name in ("components", "vendors", "products"))
HEAD = "site,type,name,manufacturer,product,serial\n"


async def test_a_row_finds_its_component_under_all_names_of_the_vendor(steward: Harness) -> None:
    """By alias, by legal form, and by the product alone; also what was there before the catalogue knew the vendor."""
    assert counts(await taken(steward, HEAD + "north,battery,B,VOLTARA,,1\n", "components")) == (1, 0, 0, 0)
    vendor = await post(steward, VENDORS, {"name": "Voltara GmbH", "aliases": ["Volt Tara"]})
    product = {"vendor_id": vendor["id"], "name": "PowerCell 9", "type": "battery"}
    product_id = (await post(steward, PRODUCTS, product))["id"]
    for row in ("Volt-Tara,", "Voltara AG,PowerCell 9", ",PowerCell 9", f",{product_id}", f"Amperion,{product_id}"):
        one = await taken(steward, HEAD + f"north,battery,B,{row},1\n", "components")
        assert (counts(one)[0], counts(one)[3]) == (0, 0), row
        again = await taken(steward, HEAD + f"north,battery,B,{row},1\n", "components")
        assert counts(again) == (0, 0, 1, 0), row
    assert len((await steward.admin.get(COMPONENTS)).json()["items"]) == 1


async def test_a_serial_without_a_maker_is_found_at_its_site(steward: Harness) -> None:
    """The same number at another site is another thing, in one file too; sent again, each finds its own."""
    sheet = HEAD + "north,ups,A,,,1\nsouth,ups,B,,,1\nsouth,drive,C,Unheard,,1\n"
    assert counts(await taken(steward, sheet, "components")) == (3, 0, 0, 0)
    assert counts(await taken(steward, sheet, "components")) == (0, 0, 3, 0)
    renamed = HEAD + "south,ups,D,,,1\n"
    assert counts(await taken(steward, renamed, "components")) == (0, 1, 0, 0)
    items = (await steward.admin.get(COMPONENTS)).json()["items"]
    assert sorted((one["site_id"], one["name"]) for one in items) == [("north", "A"), ("south", "C"), ("south", "D")]


async def test_two_rows_of_one_thing_are_told_apart_from_two_things(steward: Harness) -> None:
    """Two spellings of one vendor in one file are the same component twice."""
    sheet = HEAD + "north,drive,A,Seaquest,,1\nsouth,drive,B,Seaquest Inc.,,1\n"
    assert counts(await taken(steward, sheet, "components", errors="skip")) == (1, 0, 0, 1)
