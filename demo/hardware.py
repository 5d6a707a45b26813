"""What stands in the basement of each simulated hospital: server, array with drives, UPS with a battery, switch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DRIVES = 4
PORTS = 8
TERABYTE = 10**12


@dataclass(frozen=True)
class Part:
    """A component as inventory takes it, and what is installed in it."""

    facts: Mapping[str, Any]
    inside: list["Part"] = field(default_factory=list)


def hardware_of(site_id: str) -> list[Part]:
    """The components of a hospital; serial numbers begin with its name, and the drives are due for replacement."""
    mark = site_id.upper()[:5]
    bought = {"purchase_date": "2021-05-17", "installed_on": "2021-06-02", "warranty_until": "2026-05-17"}
    drives = [
        Part(
            {
                **{"type": "drive", "name": f"Drive {slot}", "manufacturer": "Seaquest", "model": "Vault 8T"},
                **{"serial": f"{mark}-SQ-{7700 + slot}", "media_type": "hdd", "capacity_bytes": 8 * TERABYTE},
                **bought,
            }
        )
        for slot in range(1, DRIVES + 1)
    ]
    ports = [
        Part({"type": "port", "name": f"Port {number}", "serial": f"{mark}-SW-1/{number}"})
        for number in range(1, PORTS + 1)
    ]
    battery = {"type": "battery", "name": "UPS battery", "manufacturer": "Voltara", "model": "PowerCell 9"}
    return [
        Part(
            {
                **{"type": "server", "name": "PACS server", "manufacturer": "Halden Systems", "model": "R740"},
                **{"serial": f"{mark}-HS-1", "asset_tag": f"{mark}-0001", "software_version": "2.19.1", **bought},
            }
        ),
        Part(
            {
                **{"type": "array", "name": "Image store", "manufacturer": "Halden Systems", "model": "ME5"},
                **{"serial": f"{mark}-ME-1", "asset_tag": f"{mark}-0002", "raid_level": "6", **bought},
            },
            drives,
        ),
        Part(
            {
                **{"type": "ups", "name": "Basement UPS", "manufacturer": "Voltara", "model": "Guard 3000"},
                **{"serial": f"{mark}-VG-1", "asset_tag": f"{mark}-0003", **bought},
            },
            [Part(battery | {"serial": f"{mark}-PC-1", "purchase_date": "2024-05-14"})],
        ),
        Part(
            {
                **{"type": "switch", "name": "Imaging switch", "manufacturer": "Kestrel", "model": "SX-24"},
                **{"serial": f"{mark}-SX-1", "asset_tag": f"{mark}-0004", "software_version": "7.2", **bought},
            },
            ports,
        ),
    ]
