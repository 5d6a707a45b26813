"""The page of components: what is found, by whom, and how."""

import re

from tests.integration.console.hospital import HOSTILE, INVENTORY, Hospital, check_accessible, check_harmless
from tests.integration.inventory.components.parts import install

PAGE = "/components"


async def test_components_are_found_by_words_and_site(hospital: Hospital) -> None:
    """Those that no system has too; each leads to its page."""
    switch = await install(hospital.steward, "switch", name="Core switch", serial="NF-4412", manufacturer="Netform")
    await install(hospital.steward, "switch", name="Edge switch", site_id="south")
    html = await hospital.page(PAGE)
    assert f'<a href="/console/assets/{switch["id"]}">Core switch</a>' in html
    assert "Edge switch" in html
    found = await hospital.page(PAGE, q="nf4412 switch")
    for told in ("Core switch", "Netform", "NF-4412", "Northfield General Hospital", 'value="nf4412 switch"'):
        assert told in found
    assert "Edge switch" not in found
    assert "Core switch" not in await hospital.page(PAGE, site_id="south")
    assert "None has all of these words." in await hospital.page(PAGE, q="nothing")
    assert "three letters or digits in a row" in await hospital.page(PAGE, q="a b")


async def test_what_other_sites_have_is_not_found(hospital: Hospital) -> None:
    """Whatever is asked."""
    await install(hospital.steward, "switch", name="Core switch")
    bob = hospital.visit("bob", "viewer:south")
    for query in ({}, {"q": "core"}, {"site_id": "north"}):
        text = (await bob.get(f"/console{PAGE}", params=query)).text
        assert "Core switch" not in text
        assert "Northfield" not in text


async def test_long_lists_have_pages(hospital: Hospital) -> None:
    """The words and the site that were chosen stay."""
    rows = [{"site_id": "north", "type": "drive", "name": f"Bay {n:02}"} for n in range(1, 61)]
    await hospital.add("components/bulk", {"rows": rows})
    html = await hospital.page(PAGE, q="bay", site_id="north")
    assert html.count("Bay ") == 50
    more = re.search(r'href="(\?q=bay&amp;site_id=north&amp;components=[^"#]+)#components"', html)
    assert more
    page = (await hospital.visit().get(f"/console{PAGE}{more[1].replace('&amp;', '&')}")).text
    assert page.count("Bay ") == 10
    check_accessible(page)


async def test_when_inventory_is_away_nothing_is_called_empty(hospital: Hospital) -> None:
    """The page says what is missing."""
    hospital.between.failing = {f"{INVENTORY}/.*": 502}
    html = await hospital.page(PAGE)
    assert "Inventory answered 502: its components are missing here." in html
    assert "None is registered" not in html
    check_accessible(html)


async def test_hostile_words_and_names_stay_text(hospital: Hospital) -> None:
    """What was typed too."""
    await install(hospital.steward, "switch", name=HOSTILE, serial=HOSTILE)
    check_harmless(await hospital.page(PAGE, q=HOSTILE), 1)
    check_harmless(await hospital.page(PAGE), 2)
