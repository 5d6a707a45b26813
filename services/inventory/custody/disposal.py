"""Rules of disposal: a recycler's manifest by serial number, with each hardware component of a system on it once."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field

from services.inventory.assets.domain import Component, System
from services.inventory.custody.domain import Custody, takers, why_incomplete
from services.inventory.recyclers.domain import RECYCLER_ID
from shared.errors import Conflict, Malformed, NotFound
from shared.events import Instant
from shared.events.inventory import ComponentType
from shared.resource import Body, Id, Line, Resource

EnvironmentalCategory = Literal[
    "it_equipment", "large_equipment", "screen", "battery_lead", "battery_lithium", "battery_other", "cable", "other"
]
HARDWARE: frozenset[ComponentType] = frozenset({"server", "array", "drive", "ups", "battery", "switch", "workstation"})
"""What must be accounted for when its system is disposed of."""

TANGIBLE: frozenset[ComponentType] = HARDWARE | {"port", "other"}
MAX_LINES = 1000
MOST_NAMES = 10
COMPONENT_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"


class DisposedPart(BaseModel):
    """A component on a manifest: how heavy it is, and which kind of waste."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    asset_id: Id
    weight_kg: Annotated[Decimal, Field(gt=0, le=5000, max_digits=7, decimal_places=3)]
    category: EnvironmentalCategory


class NewDisposal(Body):
    """A recycler's manifest. ``reference`` is the number that it has there."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "recycler_id": RECYCLER_ID,
                    "reference": "GL-2026-118",
                    "parts": [{"asset_id": COMPONENT_ID, "weight_kg": "0.72", "category": "it_equipment"}],
                }
            ]
        }
    )

    recycler_id: Id
    reference: Line
    parts: Annotated[list[DisposedPart], Field(min_length=1, max_length=MAX_LINES)]


class DisposalLine(BaseModel):
    """A line of a manifest, with what the component was when it went."""

    model_config = ConfigDict(frozen=True)

    asset_id: str = Field(examples=[COMPONENT_ID])
    type: ComponentType
    serial: str = Field(examples=["QB-7781-204"])
    manufacturer: str | None
    model: str | None
    weight_kg: float = Field(examples=[0.72])
    category: EnvironmentalCategory


class Disposal(Resource):
    """A manifest as it was recorded; it never changes. ``sha256`` is the digest of its lines as canonical JSON."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b33"])
    asset_id: str = Field(description="the system, or the component that belongs to none")
    site_id: str = Field(examples=["north"])
    recycler_id: str = Field(examples=[RECYCLER_ID])
    recycler: str = Field(examples=["Greenloop Recycling"])
    downstream: list[str]
    reference: str = Field(examples=["GL-2026-118"])
    lines: list[DisposalLine]
    weight_kg: float = Field(examples=[41.7])
    sha256: str
    recorded_by: str = Field(examples=["alice"])
    recorded_at: Instant


def lines_of(
    wanted: NewDisposal, components: Mapping[str, Component], chains: Mapping[str, Sequence[Custody]]
) -> list[DisposalLine]:
    """The manifest's lines, by serial number; ``components`` are those that it may name.

    Raises NotFound, Malformed or Conflict, naming the component that can't be on it.
    """
    seen: set[str] = set()
    lines = []
    for number, part in enumerate(wanted.parts):
        field = f"parts.{number}"
        component = components.get(part.asset_id)
        if component is None:
            raise NotFound(f"no component {part.asset_id} belongs to it")
        if part.asset_id in seen:
            raise Malformed(f"{field}.asset_id", f"{component.name} is on the manifest twice", "each component once")
        seen.add(part.asset_id)
        _check_part(component, part, field)
        if wanted.recycler_id not in takers(chains.get(component.id, ())):
            why = why_incomplete(chains.get(component.id, ())) or "another recycler has picked it up"
            raise Conflict(f"{component.name} was not picked up by this recycler: {why}", asset_id=component.id)
        lines.append(_line(component, part))
    return sorted(lines, key=lambda line: (line.serial, line.asset_id))


def _check_part(component: Component, part: DisposedPart, field: str) -> None:
    if component.type not in TANGIBLE:
        raise Malformed(f"{field}.asset_id", f"{component.name} is a {component.type}, no hardware", COMPONENT_ID)
    if not component.serial:
        raise Conflict(f"{component.name} has no serial number, and a manifest goes by these", asset_id=component.id)
    if (component.type == "battery") != part.category.startswith("battery_"):
        example = "battery_lead" if component.type == "battery" else "it_equipment"
        raise Malformed(f"{field}.category", f"{component.name} is a {component.type}", example)


def _line(component: Component, part: DisposedPart) -> DisposalLine:
    return DisposalLine(
        asset_id=component.id,
        type=component.type,
        serial=component.serial or "",
        manufacturer=component.manufacturer,
        model=component.model,
        weight_kg=float(part.weight_kg),
        category=part.category,
    )


def total_weight(parts: Iterable[DisposedPart]) -> float:
    """The sum in kilograms, to the gram."""
    return float(sum((part.weight_kg for part in parts), Decimal(0)))


def digest_of(lines: Sequence[DisposalLine]) -> str:
    """The SHA-256 of a manifest's lines as canonical JSON (RFC 8785), in hex."""
    return sha256(rfc8785.dumps([line.model_dump(mode="json") for line in lines])).hexdigest()


def hardware_of(components: Iterable[Component]) -> list[Component]:
    """The components that a chain of custody must be shown for: hardware, and whatever else keeps data."""
    return [one for one in components if _is_accounted_for(one) and one.state != "cancelled"]


def _is_accounted_for(component: Component) -> bool:
    return component.type in HARDWARE or (component.type in TANGIBLE and component.media_type is not None)


def why_custody_is_open(
    asset: System | Component, parts: Sequence[Component], chains: Mapping[str, Sequence[Custody]]
) -> str | None:
    """Why not every hardware component has gone to a recycler; None where each has."""
    hardware = hardware_of(parts)
    if isinstance(asset, System) and asset.deployment != "cloud" and not hardware:
        return "no hardware component of it is recorded; register what it runs on"
    return _named(f"{one.name}: {why}" for one in hardware if (why := why_incomplete(chains.get(one.id, ()))))


def why_not_on_manifest(parts: Sequence[Component], on_manifest: Iterable[str]) -> str | None:
    """Which hardware components are on no recycler's manifest; None where each is."""
    known = set(on_manifest)
    named = _named(one.name for one in hardware_of(parts) if one.id not in known)
    return named and f"on no recycler's manifest: {named}"


def _named(names: Iterable[str]) -> str | None:
    listed = sorted(names)
    more = f" and {len(listed) - MOST_NAMES} more" if len(listed) > MOST_NAMES else ""
    return "; ".join(listed[:MOST_NAMES]) + more if listed else None
