"""What the tests of maintenance stand on: two hospitals with systems, as inventory would tell of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from services.maintenance.__main__ import build
from services.maintenance.fleet.consumer import HANDLERS
from services.maintenance.settings import MaintenanceSettings
from shared.database import Pool
from shared.events import EventData, decode, encode_unsequenced, with_sequence
from shared.events.inventory import AssetChanged, SiteChanged, Software
from shared.service import Service
from shared.transactions import begin, new_id
from tests.harness import Harness

MAINTENANCE: dict[str, Any] = {"maintenance": (build, MaintenanceSettings, {})}
WINDOWS = "/maintenance/v1/windows"
PATCHES = "/maintenance/v1/patches"
ARCHIVE, VIEWER, CLOSED, SOUTHERN = (f"0199c3f2-7a51-7c3e-9d55-00000000000{n}" for n in range(4))
UNKNOWN = "0199c3f2-7a51-7c3e-9d55-00000000000f"
HOUR = timedelta(hours=1)


def build_unscheduled(pool: Pool, settings: MaintenanceSettings) -> Service:
    """Maintenance whose windows nobody opens or closes, as during an outage of the schedule."""
    service = build(pool, settings)
    return Service(name=service.name, routers=service.routers, handlers=service.handlers)


UNSCHEDULED: dict[str, Any] = {"maintenance": (build_unscheduled, MaintenanceSettings, {})}


def encode(data: EventData, subject: str, site_id: str, sequence: int = 1) -> bytes:
    """An event of inventory as it stands on the wire."""
    body = encode_unsequenced(
        data,
        event_id=new_id(),
        source="/services/inventory",
        subject=subject,
        time=datetime.now(UTC),
        site_id=site_id,
        actor="alice",
        correlation_id="flow",
        causation_id=None,
        traceparent=None,
    )
    return with_sequence(body, sequence)


async def tell(steward: Harness, data: EventData, subject: str, site_id: str) -> None:
    """Applies an event of inventory as the consumer does; it has been applied when this returns."""
    event = decode(encode(data, subject, site_id), topic=data.event_type, now=datetime.now(UTC))
    async with begin(steward.pools["maintenance"], "maintenance", actor="service:maintenance") as tx:
        await HANDLERS[type(data)](tx, event)


def system(name: str = "Archive", version: int = 1, runs: str | None = "12.3", **fields: Any) -> AssetChanged:
    """A system in service."""
    software = None if runs is None else Software(vendor="Example", product="PACS", version=runs)
    known: dict[str, Any] = {"kind": "system", "state": "in_service"}
    return AssetChanged(**known | {"name": name, "version": version, "software": software} | fields)


async def tell_of_two_hospitals(steward: Harness) -> None:
    """North has two systems and a closed one, south has one."""
    for site_id, zone in (("north", "Europe/Berlin"), ("south", "Europe/Lisbon")):
        await tell(steward, SiteChanged(name=site_id, time_zone=zone, version=1), site_id, site_id)
    await tell(steward, system("Archive"), ARCHIVE, "north")
    await tell(steward, system("Viewer"), VIEWER, "north")
    await tell(steward, system("Old archive", state="closed"), CLOSED, "north")
    await tell(steward, system("Southern archive"), SOUTHERN, "south")


def plan(starts_in: timedelta = HOUR, lasts: timedelta = HOUR, **fields: Any) -> dict[str, Any]:
    """The body that schedules a window of north's archive."""
    starts_at = datetime.now(UTC) + starts_in
    wanted = {
        "site_id": "north",
        "title": "Archive upgrade",
        "reason": "Vendor fix",
        "impact": "OUTAGE",
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + lasts).isoformat(),
        "system_ids": [ARCHIVE],
        "contact": "PACS on call, 4711",
    }
    return wanted | fields


def seen(window: dict[str, Any]) -> dict[str, str]:
    """The header that bases a change on what was seen."""
    return {"If-Match": f'"{window["version"]}"'}


def as_json(body: dict[str, Any]) -> dict[str, Any]:
    """A request's body in ASCII, so that it may hold what is no UTF-8."""
    return {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
