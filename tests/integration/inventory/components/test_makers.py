"""Within what a serial number is one: a vendor under all its names, or the site where no maker is known."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import httpx
import pytest

from services.inventory.assets.domain import Component
from services.inventory.components.domain import ComponentDraft
from services.inventory.components.handlers import put_components
from services.inventory.components.known import NewComponent
from shared.grants import Caller, Grant
from shared.transactions import begin, new_id
from tests.harness import Harness
from tests.integration.inventory.components.parts import COMPONENTS, change, install, put
from tests.integration.inventory.requests import post

VENDORS, PRODUCTS = "/inventory/v1/vendors", "/inventory/v1/products"


async def other(steward: Harness, **facts: Any) -> httpx.Response:
    """The answer to one more drive with the serial number 1, at site south."""
    return await steward.admin.post(COMPONENTS, json={"site_id": "south", "type": "drive", "name": "B"} | facts)


async def voltara(steward: Harness, *aliases: str) -> tuple[dict[str, Any], str]:
    """A vendor with these aliases, and the id of a product of it."""
    vendor = await post(steward, VENDORS, {"name": "Voltara", "aliases": list(aliases)})
    product = await post(steward, PRODUCTS, {"vendor_id": vendor["id"], "name": "PowerCell 9", "type": "battery"})
    return vendor, product["id"]


async def test_serial_without_a_maker_is_one_within_its_site(steward: Harness) -> None:
    """Small numbers that hospitals give their things themselves meet nobody else's."""
    first = await install(steward, "ups", serial="1")
    assert (await other(steward, serial="1")).status_code == 201
    assert (await other(steward, serial="1", manufacturer="Amperion")).status_code == 201
    again = await other(steward, serial="1", site_id="north")
    assert (again.status_code, again.json()["component_id"]) == (409, first["id"])
    assert "at north" in again.json()["detail"]


@pytest.mark.parametrize("spelled", ["Voltara GmbH", "VOLTARA", "voltara, Inc.", "Volt-Tara"])
async def test_serial_is_one_within_a_vendor_under_all_its_names(steward: Harness, spelled: str) -> None:
    """Case, punctuation and legal form don't matter; aliases are those of the catalogue."""
    await voltara(steward, "Volt Tara")
    first = await install(steward, "drive", serial="1", manufacturer="Voltara")
    again = await other(steward, serial="1", manufacturer=spelled)
    assert (again.status_code, again.json()["component_id"]) == (409, first["id"])


async def test_names_are_one_vendor_without_a_catalogue_too(steward: Harness) -> None:
    """As far as case, punctuation and legal form go; an alias is known to the catalogue alone."""
    await install(steward, "drive", serial="1", manufacturer="Voltara")
    assert (await other(steward, serial="1", manufacturer="Voltara GmbH")).status_code == 409
    assert (await other(steward, serial="1", manufacturer="Volt Tara")).status_code == 201


async def test_product_says_whose_a_serial_is(steward: Harness) -> None:
    """With or without a name, and whatever is written on the box."""
    _, product = await voltara(steward)
    await install(steward, "drive", serial="1", product_id=product)
    assert (await other(steward, serial="1", manufacturer="Voltara")).status_code == 409
    assert (await other(steward, serial="1", manufacturer="Amperion", product_id=product)).status_code == 409
    assert (await other(steward, serial="1", manufacturer="Amperion")).status_code == 201


async def test_alias_that_is_entered_later_holds_for_what_was_there(steward: Harness) -> None:
    """Two that turn out to have one number stay; whoever changes one of them is told of the other."""
    first = await install(steward, "drive", serial="1", manufacturer="Voltara")
    second = await install(steward, "drive", serial="1", manufacturer="Amperion")
    vendor, product = await voltara(steward)
    assert (await other(steward, serial="1", product_id=product)).status_code == 409
    body = {"name": "Voltara", "aliases": ["Amperion"]}
    answer = await steward.admin.put(f"{VENDORS}/{vendor['id']}", json=body, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    for one, two in ((first, second), (second, first)):
        refused = await put(steward, one, {"name": "X", "serial": "1", "manufacturer": one["manufacturer"]})
        assert (refused.status_code, refused.json()["component_id"]) == (409, two["id"])
    await change(steward, second, serial="2")
    await change(steward, first, name="X")


async def test_rows_of_one_request_are_judged_alike(steward: Harness) -> None:
    """A row takes a number in one spelling, the next asks for it in another; what a row gives up is free afterwards."""
    await voltara(steward, "Volt Tara")
    kept = await install(steward, "drive", serial="9", manufacturer="Voltara AG")
    row = {"site_id": "north", "type": "drive", "name": "Row"}
    rows = [
        row | {"serial": "1", "manufacturer": "Voltara"},
        row | {"serial": "1", "manufacturer": "volt-tara ltd"},
        row | {"serial": "9", "manufacturer": "Volt Tara"},
        {"id": kept["id"], "version": 1, "name": "Kept", "serial": "10", "manufacturer": "Voltara"},
        row | {"serial": "9", "manufacturer": "Volt Tara"},
        row | {"serial": "1"},
    ]
    told = (await steward.admin.post(f"{COMPONENTS}/bulk", json={"rows": rows})).json()["rows"]
    assert [one["problem"] and one["problem"]["status"] for one in told] == [None, 409, 409, None, 409, None]
    assert (await other(steward, serial="9", manufacturer="Volt Tara")).status_code == 201


async def test_two_spellings_at_one_moment_make_one(steward: Harness) -> None:
    """The database holds what neither request has seen of the other."""
    await voltara(steward, "Volt Tara")
    names = ["Voltara", "Volt Tara", "VOLTARA GmbH", "volt.tara"]
    answers = await asyncio.gather(*(other(steward, serial="1", manufacturer=name) for name in names))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_a_thousand_rows_take_no_more_statements_than_two(steward: Harness) -> None:
    """However many vendors, spellings and products they name."""
    _, product = await voltara(steward, *(f"Alias {n}" for n in range(20)))
    caller = Caller("test", frozenset({Grant("operator", "*")}))

    async def statements(rows: Iterable[int]) -> int:
        made = [
            NewComponent(
                new_id(),
                ComponentDraft(
                    site_id="north",
                    type="drive",
                    name=f"Drive {n}",
                    serial=f"S{n}",
                    manufacturer=f"Alias {n % 40}",
                    product_id=product if n % 3 else None,
                ),
            )
            for n in rows
        ]
        asked: list[asyncpg.connection.LoggedQuery] = []
        async with begin(steward.pools["inventory"], "test") as tx:
            with tx.conn.query_logger(asked.append):
                assert all(isinstance(one, Component) for one in await put_components(tx, made, caller))
            # The driver tells of its queries once the event loop turns.
            await asyncio.sleep(0)
        return len(asked)

    assert await statements(range(2)) >= await statements(range(2, 1002))
