"""Links and chains for the tests of custody."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.inventory.assets.domain import Component
from services.inventory.custody.domain import Custody, Link
from services.inventory.recyclers.domain import Certificate, Recycler

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DRIVE_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"
RECYCLER_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b31"
CERTIFICATE = Certificate.model_validate(
    {"certification": "R2v3", "number": "R2-1", "valid_from": "2025-03-01", "valid_until": "2026-03-09"}
)
RECYCLER = Recycler(id=RECYCLER_ID, name="Greenloop", certificates=[CERTIFICATE], downstream=[], version=1)


def drive(number: int = 0, **changes: Any) -> Component:
    """A drive that is clean."""
    known = dict.fromkeys(Component.model_fields) | {
        "id": f"{DRIVE_ID[:-2]}{number:02d}",
        "kind": "component",
        "site_id": "north",
        "name": f"Drive {number}",
        "state": "sanitized",
        "type": "drive",
        "serial": f"Z-{number:04d}",
        "fields": {},
        "counts_as_copy": False,
        "version": 1,
    }
    return Component.model_validate(known | changes)


def link(kind: str, from_holder: str, to_holder: str, hours: int = 0, **changes: Any) -> Link:
    """A link so many hours after midnight of 1 March."""
    told = {
        "asset_ids": [DRIVE_ID],
        "kind": kind,
        "from_holder": from_holder,
        "to_holder": to_holder,
        "at": datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hours),
        "place": "IT store",
        "person": "Ada Berg",
        "recycler_id": RECYCLER_ID if kind == "picked_up" else None,
    }
    return Link.model_validate(told | changes)


def kept(told: Link, number: int) -> Custody:
    """The link as it is stored."""
    return Custody(
        **told.model_dump(exclude={"asset_ids"}),
        id=f"c{number}",
        asset_id=told.asset_ids[0],
        site_id="north",
        number=number,
        certificate=CERTIFICATE if told.recycler_id else None,
        recorded_by="alice",
        recorded_at=NOW,
        version=1,
    )


def chain(*links: Link) -> list[Custody]:
    """Links as they are stored, in their order."""
    return [kept(one, number) for number, one in enumerate(links, 1)]
