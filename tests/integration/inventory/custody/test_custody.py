"""Custody over REST: each link is an event, and what does not fit is refused by name."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness import Harness
from tests.integration.inventory.custody.parts import (
    GREENLOOP,
    INVENTORY,
    RECYCLERS,
    register_drive,
    retiring_system,
    tell,
    told,
)
from tests.integration.inventory.requests import ASSETS, check_malformed, move, post, register_system

DAY = timedelta(days=1)


async def recycler(steward: Harness, **changes: Any) -> dict[str, Any]:
    """A recycler of the group."""
    return await post(steward, RECYCLERS, GREENLOOP | changes)


@pytest.mark.seed("92")
async def test_hardware_goes_to_a_certified_recycler_and_onto_its_manifest(steward: Harness) -> None:
    """Handed over and picked up in one word for all drives; the manifest weighs each by serial number."""
    system, drives = await retiring_system(steward)
    greenloop = await recycler(steward)
    assert (await tell(steward, told(drives, "handed_over", "Ward 3", "IT store"))).status_code == 201
    away = told(drives, "picked_up", "IT store", "Greenloop Recycling", recycler_id=greenloop["id"])
    picked = await tell(steward, away)
    assert picked.status_code == 201, picked.text
    assert {link["certificate"]["number"] for link in picked.json()["items"]} == {"R2-2026-0417"}
    parts = [{"asset_id": one["id"], "weight_kg": 0.7, "category": "it_equipment"} for one in drives]
    wanted = {"recycler_id": greenloop["id"], "reference": "GL-118", "parts": parts}
    disposal = await post(steward, f"{ASSETS}/{system['id']}/disposals", wanted)
    assert (disposal["weight_kg"], [line["serial"] for line in disposal["lines"]]) == (1.4, ["ZX-0000", "ZX-0001"])
    event = await steward.heard.until("disposal.recorded")
    assert (event.subject, event.data.sha256) == (system["id"], disposal["sha256"])
    moved = await steward.heard.until("custody.changed", lambda e: e.data.kind == "picked_up")
    assert (moved.subject in {one["id"] for one in drives}, moved.data.number) == (True, 2)
    chain = (await steward.admin.get(f"{ASSETS}/{drives[0]['id']}/custody")).json()["items"]
    assert [link["kind"] for link in chain] == ["handed_over", "picked_up"]
    listed = (await steward.admin.get(f"{ASSETS}/{system['id']}/disposals")).json()["items"]
    assert listed == [disposal]
    taken = await steward.admin.get(f"{INVENTORY}/custody", params={"recycler_id": greenloop["id"], "site_id": "north"})
    assert [link["kind"] for link in taken.json()["items"]] == ["picked_up"] * 2
    assert (await steward.as_("sue", "viewer:south").get(f"{INVENTORY}/custody")).json()["items"] == []
    changes = await steward.admin.get(f"{INVENTORY}/history", params={"kind": "custody"})
    assert len(changes.json()["items"]) == 4


async def test_gap_in_one_chain_stops_the_word_for_all(steward: Harness) -> None:
    """The refusal names the drive and both holders, and nothing was recorded of any."""
    _, drives = await retiring_system(steward)
    await tell(steward, told(drives[:1], "handed_over", "Ward 3", "IT store"))
    gap = await tell(steward, told(drives, "handed_over", "Basement", "Vault"))
    assert gap.status_code == 409
    assert "Drive 0: gap between 'IT store'" in gap.json()["detail"]
    assert "'Basement'" in gap.json()["detail"]
    assert (await steward.admin.get(f"{ASSETS}/{drives[1]['id']}/custody")).json()["items"] == []


async def test_pickup_needs_a_certificate_of_the_day_at_the_site(steward: Harness) -> None:
    """One that ended yesterday is refused; once it is renewed the same pickup is taken."""
    _, drives = await retiring_system(steward)
    old = {"certification": "e-Stewards", "number": "E-1", "valid_from": "2020-01-01"}
    yesterday = (datetime.now(UTC) - 2 * DAY).date().isoformat()
    greenloop = await recycler(steward, certificates=[old | {"valid_until": yesterday}])
    away = told(drives, "picked_up", "IT store", "Greenloop Recycling", recycler_id=greenloop["id"])
    refused = await tell(steward, away)
    assert refused.status_code == 409
    assert "no certificate that is valid on" in refused.json()["detail"]
    url = f"{RECYCLERS}/{greenloop['id']}"
    renewed = {**GREENLOOP, "certificates": [old | {"valid_until": "2199-01-01"}]}
    assert (await steward.admin.put(url, json=renewed, headers={"If-Match": '"1"'})).status_code == 200
    assert (await tell(steward, away)).status_code == 201
    assert (await steward.admin.put(url, json=renewed, headers={"If-Match": '"1"'})).status_code == 412


async def test_component_is_on_one_manifest(steward: Harness) -> None:
    """A second one that names it is refused with the reference of the first; so is what was not picked up."""
    system, drives = await retiring_system(steward)
    greenloop = await recycler(steward)
    url = f"{ASSETS}/{system['id']}/disposals"
    part = {"asset_id": drives[0]["id"], "weight_kg": "0.7", "category": "it_equipment"}
    wanted = {"recycler_id": greenloop["id"], "reference": "GL-118", "parts": [part]}
    assert "Drive 0 was not picked up" in (await steward.admin.post(url, json=wanted)).json()["detail"]
    away = told(drives, "picked_up", "IT store", "Greenloop Recycling", recycler_id=greenloop["id"])
    await tell(steward, away)
    await post(steward, url, wanted)
    again = await steward.admin.post(url, json=wanted | {"reference": "GL-119"})
    assert (again.status_code, "Drive 0: GL-118" in again.json()["detail"]) == (409, True)
    check_malformed(
        await steward.admin.post(url, json=wanted | {"parts": [part | {"weight_kg": 0}]}), "parts.0.weight_kg"
    )


async def test_custody_of_what_is_in_service_or_elsewhere_is_refused(steward: Harness) -> None:
    """In service: 409. At a site that is not the caller's: as if it were not there, also in one word with his own."""
    system = await register_system(steward)
    serving = await register_drive(steward, system, 7)
    refused = await tell(steward, told([serving], "handed_over", "Ward 3", "IT store"))
    assert (refused.status_code, "is in_service" in refused.json()["detail"]) == (409, True)
    other = steward.as_("sue", "operator:south")
    assert (await other.post(f"{INVENTORY}/custody", json=told([serving], "moved", "a", "a"))).status_code == 404
    viewer = steward.as_("vic", "viewer:north")
    assert (await viewer.post(f"{INVENTORY}/custody", json=told([serving], "moved", "a", "a"))).status_code == 403
    site_admin = steward.as_("sid", "site-admin:north")
    assert (await site_admin.post(RECYCLERS, json=GREENLOOP)).status_code == 403


async def test_pickup_is_of_what_is_clean_and_on_its_way_out(steward: Harness) -> None:
    """Dated before the drive was either, it is refused and says since when it is; as is all of before retiring."""
    system = await register_system(steward)
    drive = await move(steward, await register_drive(steward, system, 3), "retiring", "migrated", "isolated")
    greenloop = await recycler(steward)
    away = told([drive], "picked_up", "IT store", "Greenloop Recycling", recycler_id=greenloop["id"])
    early = await tell(steward, told([drive], "handed_over", "Ward 3", "IT store", at=hours_ago(1)))
    assert (early.status_code, "before its move to retiring" in early.json()["detail"]) == (409, True)
    unclean = await tell(steward, away)
    assert (unclean.status_code, "only what is sanitized is picked up" in unclean.json()["detail"]) == (409, True)
    drive = await move(steward, drive, "sanitized")
    backdated = await tell(steward, away | {"at": hours_ago(1)})
    assert (backdated.status_code, "lies before its move to" in backdated.json()["detail"]) == (409, True)
    assert (await tell(steward, away)).status_code == 201


def hours_ago(hours: int) -> str:
    """An instant that is past."""
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


async def test_two_words_at_once_make_no_fork(steward: Harness) -> None:
    """Of several who hand the same drive over at the same moment, one is believed."""

    _, drives = await retiring_system(steward, 1)
    answers = await asyncio.gather(
        *(tell(steward, told(drives, "handed_over", "Ward 3", f"Store {n}")) for n in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
