"""Events of inventory: what we have. The ``changed`` events carry the full state on compacted topics."""

from typing import Literal

from pydantic import BaseModel

from shared.events.contract import EventData

LifecycleState = Literal[
    "proposed",
    "planned",
    "procured",
    "staged",
    "commissioning",
    "in_service",
    "maintenance",
    "degraded",
    "retiring",
    "migrated",
    "isolated",
    "sanitized",
    "disposed",
    "closed",
    "cancelled",
]
NodeRole = Literal["archive", "modality", "workstation"]
PersonRole = Literal["clinician", "admin"]


class SiteChanged(EventData, event_type="site.changed", compacted=True, partitions=1):
    """A site's full state; the subject is the site id."""

    name: str
    time_zone: str
    version: int


class PersonChanged(EventData, event_type="person.changed", compacted=True, partitions=1):
    """A person whom a site's notices reach; the subject is the person's id."""

    name: str
    email: str
    roles: list[PersonRole]
    active: bool
    version: int


class DicomAddress(BaseModel):
    """Where a DICOM node answers: AE title (PS3.5 §6.2), host name or address, TCP port."""

    ae_title: str
    host: str
    port: int
    role: NodeRole


class Software(BaseModel):
    """What a system runs."""

    vendor: str
    product: str
    version: str


class AssetChanged(EventData, event_type="asset.changed", compacted=True, partitions=3):
    """An asset's full state. A node belongs to the system ``system_id`` and has a DICOM address."""

    kind: Literal["system", "node"]
    name: str
    state: LifecycleState
    version: int
    system_id: str | None = None
    software: Software | None = None
    dicom: DicomAddress | None = None


class AssetTransitioned(EventData, event_type="asset.transitioned"):
    """An asset has moved in its lifecycle."""

    from_state: LifecycleState
    to_state: LifecycleState
    reason: str


class AssetRetired(EventData, event_type="asset.retired"):
    """An asset has reached the end of its lifecycle: ``closed``."""

    kind: Literal["system", "node"]
    name: str
    reason: str
