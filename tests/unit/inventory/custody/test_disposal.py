"""A recycler's manifest has each hardware component of a system, each once, and only what that recycler took."""

from typing import Any

import pytest

from services.inventory.assets.domain import Component, System
from services.inventory.custody.disposal import (
    NewDisposal,
    digest_of,
    lines_of,
    total_weight,
    why_custody_is_open,
    why_not_on_manifest,
)
from shared.errors import Conflict, Malformed, NotFound, Refused
from tests.unit.inventory.custody.chains import RECYCLER_ID, chain, drive, link

TAKEN = chain(link("picked_up", "IT store", "Greenloop"))
SYSTEM = System.model_validate(
    {
        "id": "s",
        "site_id": "north",
        "name": "North archive",
        "state": "isolated",
        "software": {"vendor": "V", "product": "P", "version": "1"},
        "version": 1,
    }
)


def manifest(*parts: dict[str, Any], recycler_id: str = RECYCLER_ID) -> NewDisposal:
    """A manifest of these parts."""
    return NewDisposal.model_validate({"recycler_id": recycler_id, "reference": "GL-1", "parts": parts})


def part(component: Component, **changes: Any) -> dict[str, Any]:
    """A component on a manifest."""
    return {"asset_id": component.id, "weight_kg": 0.72, "category": "it_equipment"} | changes


def test_lines_go_by_serial_number_and_weigh_to_the_gram() -> None:
    """Their digest stands for them whatever the order in which they were told."""
    parts = {one.id: one for one in (drive(1), drive(2))}
    chains = dict.fromkeys(parts, TAKEN)
    wanted = manifest(part(drive(2), weight_kg="0.1"), part(drive(1), weight_kg="0.2"))
    lines = lines_of(wanted, parts, chains)
    assert [line.serial for line in lines] == ["Z-0001", "Z-0002"]
    assert total_weight(wanted.parts) == 0.3
    turned = manifest(*reversed([one.model_dump() for one in wanted.parts]))
    assert digest_of(lines_of(turned, parts, chains)) == digest_of(lines)


BATTERY = drive(3, type="battery")
REFUSED: list[tuple[NewDisposal, type[Refused], str]] = [
    (manifest(part(drive(1)), part(drive(1))), Malformed, "Drive 1 is on the manifest twice"),
    (manifest(part(drive(9))), NotFound, "no component"),
    (manifest(part(drive(4))), Conflict, "Drive 4 has no serial number"),
    (manifest(part(drive(5))), Malformed, "Drive 5 is a licence"),
    (manifest(part(BATTERY)), Malformed, "Drive 3 is a battery"),
    (manifest(part(drive(1), category="battery_lead")), Malformed, "Drive 1 is a drive"),
    (manifest(part(drive(2))), Conflict, "Drive 2 was not picked up by this recycler: no custody is recorded"),
    (manifest(part(drive(1)), recycler_id="0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b99"), Conflict, "another recycler"),
]


@pytest.mark.parametrize(("wanted", "kind", "named"), REFUSED, ids=[named for *_, named in REFUSED])
def test_manifest_is_refused_by_the_component_that_is_wrong(
    wanted: NewDisposal, kind: type[Refused], named: str
) -> None:
    """Nothing of it counts then."""
    known = [drive(1), drive(2), BATTERY, drive(4, serial=None), drive(5, type="licence")]
    taken = {one.id: TAKEN for one in known if one.id != drive(2).id}
    with pytest.raises(kind, match=named):
        lines_of(wanted, {one.id: one for one in known}, taken)


def test_each_hardware_component_needs_chain_and_manifest() -> None:
    """Not what is no hardware, nor what was cancelled before it was ever there."""
    parts = [drive(1), drive(2), drive(3, type="licence"), drive(4, state="cancelled")]
    assert why_custody_is_open(SYSTEM, parts, {drive(1).id: TAKEN}) == "Drive 2: no custody is recorded"
    assert why_custody_is_open(SYSTEM, parts, dict.fromkeys([drive(1).id, drive(2).id], TAKEN)) is None
    assert why_not_on_manifest(parts, [drive(1).id]) == "on no recycler's manifest: Drive 2"
    assert why_not_on_manifest(parts, [drive(1).id, drive(2).id]) is None
    many = [drive(n) for n in range(12)]
    assert str(why_not_on_manifest(many, [])).endswith("and 2 more")


def test_system_without_hardware_is_believed_only_in_a_cloud() -> None:
    """Elsewhere it runs on something, which was not registered."""
    assert "no hardware component" in str(why_custody_is_open(SYSTEM, [], {}))
    assert why_custody_is_open(SYSTEM.model_copy(update={"deployment": "cloud"}), [], {}) is None
