"""What the tests of custody and of the dossier send."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.harness import Harness
from tests.integration.inventory.requests import post, register_system

INVENTORY = "/inventory/v1"
COMPONENTS = f"{INVENTORY}/components"
CUSTODY = f"{INVENTORY}/custody"
RECYCLERS = f"{INVENTORY}/recyclers"
STATES = ("retiring", "migrated", "isolated")
GREENLOOP = {
    "name": "Greenloop Recycling",
    "certificates": [
        {"certification": "R2v3", "number": "R2-2026-0417", "valid_from": "2020-01-01", "valid_until": "2199-12-31"}
    ],
    "downstream": ["Copperworks North"],
}


async def register_drive(steward: Harness, system: dict[str, Any], number: int, **changes: Any) -> dict[str, Any]:
    """A drive of the system, with a serial number."""
    body = {
        "site_id": system["site_id"],
        "system_id": system["id"],
        "type": "drive",
        "name": f"Drive {number}",
        "manufacturer": "Voltara",
    }
    return await post(steward, COMPONENTS, body | {"serial": f"ZX-{number:04d}", "media_type": "hdd"} | changes)


async def retiring_system(steward: Harness, drives: int = 2) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A system and its drives that are clean and on their way out, as their rows say."""
    system = await register_system(steward)
    parts = [await register_drive(steward, system, number) for number in range(drives)]
    ids = [system["id"], *(part["id"] for part in parts)]
    await steward.pools["inventory"].execute("UPDATE assets SET state = 'sanitized' WHERE id = ANY($1)", ids)
    return system, parts


def told(assets: Sequence[dict[str, Any]], kind: str, giver: str, taker: str, **changes: Any) -> dict[str, Any]:
    """A link of the chains of these assets, just now."""
    return {
        "asset_ids": [asset["id"] for asset in assets],
        "kind": kind,
        "from_holder": giver,
        "to_holder": taker,
        "at": datetime.now(UTC).isoformat(),
        "place": "Loading dock",
        "person": "Ada Berg",
    } | changes


async def tell(steward: Harness, link: dict[str, Any]) -> httpx.Response:
    """The answer to a link."""
    return await steward.admin.post(CUSTODY, json=link)
