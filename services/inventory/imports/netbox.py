"""What a NetBox knows of sites and devices, as rows of an import: its REST API of the versions 3 and 4. Pure.

A manufacturer becomes a vendor, a device type a product, a device a component. Roles and statuses are whatever a group
has made of them, so they are mapped by a table that it may change.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.inventory.imports.domain import BadFile

Rows = list[dict[str, str]]
Thing = Mapping[str, Any]

ROLES: Mapping[str, str] = {
    **{"server": "server", "host": "server", "hypervisor": "server", "appliance": "server", "vm": "server"},
    **{"storage": "array", "nas": "array", "san": "array", "array": "array", "filer": "array"},
    **{"switch": "switch", "router": "switch", "firewall": "switch", "gateway": "switch", "ups": "ups"},
    **{"workstation": "workstation", "desktop": "workstation", "pc": "workstation", "client": "workstation"},
}
"""The component types of device roles, by a word of the role's slug; a role without any of them is ``other``."""

STATES: Mapping[str, str] = {"planned": "proposed", "staged": "proposed"}
"""In which state a device of a status is made; of any other status it is in service."""

NO_SLUG = re.compile(r"[^a-z0-9-]+")
FIELDS = ("sites", "roles", "states", "fields")


@dataclass(frozen=True)
class Mapped:
    """How a group's words are ours: sites, roles and states by their slugs, and which custom fields keep a place."""

    sites: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None

    @classmethod
    def parse(cls, told: Mapping[str, Any], time_zone: str | None) -> "Mapped":
        """A mapping as a file tells it. Raises BadFile."""
        for name, table in told.items():
            if name not in FIELDS or not isinstance(table, dict):
                raise BadFile(f"a mapping has the tables {', '.join(FIELDS)}, and no {name!r}")
            if not all(isinstance(value, str) for value in table.values()):
                raise BadFile(f"each value of the table {name} must be a text")
        return cls(**told, time_zone=time_zone)

    def site_of(self, slug: str) -> str:
        """Our id of a site."""
        return self.sites.get(slug) or NO_SLUG.sub("-", slug.lower()).strip("-")

    def type_of(self, slug: str) -> str:
        """The component type of a device role."""
        words = (one for word in slug.split("-") for one in (word, word.removesuffix("s"), word.removesuffix("es")))
        return self.roles.get(slug) or next((ROLES[word] for word in words if word in ROLES), "other")


def results_of(page: Any) -> tuple[list[Thing], str | None]:
    """The things of a page, and the address of the next one. Raises BadFile for what is no page of NetBox."""
    if not isinstance(page, dict) or not isinstance(page.get("results"), list):
        raise BadFile("that is no answer of NetBox: it has no results")
    following = page.get("next")
    if following is not None and not isinstance(following, str):
        raise BadFile("that is no answer of NetBox: its next page is no address")
    if not all(isinstance(thing, dict) for thing in page["results"]):
        raise BadFile("that is no answer of NetBox: a result is no object")
    return page["results"], following


def site_rows(sites: Iterable[Thing], mapped: Mapped) -> Rows:
    """The rows of sites. What NetBox does not know stays as it is."""
    return [
        _told(
            id=mapped.site_of(_text(site, "slug") or ""),
            name=_text(site, "name"),
            time_zone=_text(site, "time_zone") or mapped.time_zone,
            latitude=_text(site, "latitude"),
            longitude=_text(site, "longitude"),
            address=_one_line(_text(site, "physical_address")),
        )
        for site in sites
    ]


def device_rows(devices: Iterable[Thing], mapped: Mapped) -> Rows:
    """The rows of components, each with its place in a rack where a custom field keeps it."""
    return [_device(device, mapped) for device in devices]


def _device(device: Thing, mapped: Mapped) -> dict[str, str]:
    kind = _inside(device, "device_type")
    # The field has been called role since NetBox 3.6, and device_role before.
    role = _inside(device, "role") or _inside(device, "device_role")
    status = _text(_inside(device, "status"), "value") or ""
    model = _text(kind, "model")
    places = {"rack": _text(_inside(device, "rack"), "name"), "position": _text(device, "position")}
    row = _told(
        site=mapped.site_of(_text(_inside(device, "site"), "slug") or ""),
        type=mapped.type_of(_text(role, "slug") or ""),
        name=_text(device, "name") or _text(device, "display") or _text(device, "serial"),
        manufacturer=_text(_inside(kind, "manufacturer"), "name"),
        model=model,
        product=model,
        serial=_text(device, "serial"),
        asset_tag=_text(device, "asset_tag"),
        host=(_text(_inside(device, "primary_ip"), "address") or "").partition("/")[0],
        start_state=mapped.states.get(status) or STATES.get(status),
    )
    named = {f"field.{mapped.fields[place]}": told for place, told in places.items() if place in mapped.fields}
    return row | _told(**named)


def catalogue_rows(devices: Rows) -> tuple[Rows, Rows]:
    """The rows of the vendors and products that rows of devices name, each once; a product is of its device's type."""
    vendors = dict.fromkeys(row["manufacturer"] for row in devices if "manufacturer" in row)
    whole = [row for row in devices if {"manufacturer", "model"} <= row.keys()]
    products = {(row["manufacturer"], row["model"]): row["type"] for row in whole}
    return (
        [{"name": name} for name in vendors],
        [{"vendor": vendor, "name": name, "type": kind} for (vendor, name), kind in products.items()],
    )


def _inside(thing: Thing, name: str) -> Thing:
    value = thing.get(name)
    return value if isinstance(value, dict) else {}


def _text(thing: Thing, name: str) -> str | None:
    value = thing.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


def _one_line(text: str | None) -> str | None:
    return ", ".join(_lines(text)) if text else None


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _told(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
