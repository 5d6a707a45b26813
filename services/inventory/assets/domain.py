"""Rules of assets: what a system, a DICOM node and a component are, and how a node is addressed."""

import re
from collections.abc import Sequence
from datetime import date
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from services.inventory.lifecycle.domain import FINAL
from shared.errors import Conflict, Malformed
from shared.events import inventory as events
from shared.events.envelope import first_fault
from shared.events.inventory import (
    AssetChanged,
    AssetKind,
    ClusterRole,
    ComponentFacts,
    ComponentType,
    Deployment,
    DicomAddress,
    Environment,
    LifecycleState,
    NodeRole,
)
from shared.resource import Line, Resource

Kind = AssetKind
MediaType = Literal["hdd", "ssd", "nvme", "tape", "optical"]
RaidLevel = Literal["0", "1", "5", "6", "10", "50", "60"]
FieldValue = bool | Annotated[float, Field(allow_inf_nan=False)] | str
StartState = Literal["in_service", "proposed"]
"""An existing asset is adopted as it stands; one that is only wished for starts at the beginning."""

_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"({_LABEL}\.)*(?!([0-9]+|0x[0-9a-f]*)$){_LABEL}")
_MAX_HOST = 253


def parse_ae_title(text: str) -> str:
    """The AE title without its insignificant spaces (PS3.5 §6.2). Raises PydanticCustomError."""
    title = text.strip(" ")
    if not _AE_TITLE.fullmatch(title):
        raise PydanticCustomError(
            "ae_title",
            "must be 1 to 16 ASCII characters, not only spaces, no backslash and no control character",
            {"example": "NORTH_PACS"},
        )
    return title


def parse_host(text: str) -> str:
    """The host in its one spelling: a DNS name in lower case, or an address as RFC 5952 writes it.

    What a resolver might take for an odd IPv4 address (``10.1``, ``0x7f000001``) is neither. Raises
    PydanticCustomError.
    """
    try:
        # A scope (fe80::1%eth0) means something on one machine only.
        if "%" not in text:
            return str(ip_address(text))
    except ValueError:
        if len(text) <= _MAX_HOST and _DNS_NAME.fullmatch(text.lower()):
            return text.lower()
    raise PydanticCustomError(
        "host",
        "must be a DNS name of at most 253 characters or an IPv4 or IPv6 address",
        {"example": "pacs.north.example.org"},
    )


AeTitle = Annotated[str, AfterValidator(parse_ae_title)]
Host = Annotated[str, AfterValidator(parse_host)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


class Software(BaseModel):
    """What a system runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: Line = Field(examples=["Northlight Imaging"])
    product: Line = Field(examples=["Archive One"])
    version: Line = Field(examples=["5.2.1"])


def parse_software(vendor: str, product: str, version: str) -> Software:
    """What came by another way than HTTP, under the same rules. Raises Malformed."""
    try:
        return Software(vendor=vendor, product=product, version=version)
    except ValidationError as exc:
        raise Malformed("software", first_fault(exc), "5.2.1") from exc


class Placing(TypedDict, total=False):
    """Where a system runs and what for."""

    environment: Environment
    deployment: Deployment
    mirrors: str | None


class Membership(TypedDict, total=False):
    """Which cluster a node shares the load of, and whether its address is the shared one."""

    cluster: str | None
    cluster_role: ClusterRole | None


class _Asset(Resource):
    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["North archive"])
    state: LifecycleState


class System(_Asset):
    """A PACS: what is bought, patched, backed up and retired as one."""

    kind: Literal["system"] = "system"
    software: Software
    environment: Environment = "production"
    deployment: Deployment = "on_premises"
    mirrors: str | None = Field(default=None, description="the system in production that this one stands for")


class Node(_Asset):
    """A DICOM application entity of a system: the archive itself, or a modality or workstation that talks to it."""

    kind: Literal["node"] = "node"
    system_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"])
    ae_title: str = Field(examples=["NORTH_PACS"])
    host: str = Field(examples=["pacs.north.example.org"])
    port: int = Field(examples=[104])
    role: NodeRole
    cluster: str | None = Field(default=None, examples=["storage"])
    cluster_role: ClusterRole | None = None


class Component(_Asset):
    """A part of the fleet with a clock of its own: a server, a drive in it, a battery, a licence.

    ``counts_as_copy`` is false for every array: RAID keeps a service up, and is no copy of its data.
    """

    kind: Literal["component"] = "component"
    type: ComponentType
    system_id: str | None = Field(description="the system that it belongs to")
    installed_in: str | None = Field(description="the component that it is installed in")
    manufacturer: str | None = Field(examples=["Voltara"])
    model: str | None = Field(examples=["PowerCell 9"])
    product_id: str | None
    serial: str | None = Field(examples=["QB-7781-204"])
    asset_tag: str | None = Field(examples=["NGH-004711"])
    software_version: str | None = Field(description="the firmware or software that it runs", examples=["3.1.0"])
    host: str | None = Field(examples=["ups1.north.example.org"])
    purchase_date: date | None
    installed_on: date | None
    warranty_until: date | None
    capacity_bytes: int | None
    media_type: MediaType | None
    raid_level: RaidLevel | None
    fields: dict[str, FieldValue] = Field(description="values of the custom fields of its type")
    counts_as_copy: Literal[False] = False


Asset = System | Node | Component


def check_not_ended(asset: Asset) -> None:
    """Raises Conflict when the asset's life is over: nothing about it changes and nothing joins it any more."""
    if asset.state in FINAL:
        raise Conflict(f"{asset.kind} {asset.name} is {asset.state}")


def check_same_site(node: Node, system: System) -> None:
    """Raises Conflict when a node would belong to a system of another site."""
    if node.site_id != system.site_id:
        raise Conflict(f"node {node.name} and system {system.name} are at different sites")


def check_nodes_ended(live: Sequence[Node]) -> None:
    """Raises Conflict naming the nodes that still live when their system is to end."""
    if live:
        raise Conflict(
            f"the system has nodes that are neither closed nor cancelled: {', '.join(node.name for node in live)}",
            nodes=[{"id": node.id, "name": node.name, "state": node.state} for node in live],
        )


def check_mirror(system: System, mirrored: System) -> None:
    """Raises Conflict unless what a system mirrors is in production at the same site, and it is not so itself."""
    if system.environment == "production":
        raise Conflict(f"system {system.name} is in production and mirrors nothing")
    if mirrored.environment != "production" or mirrored.site_id != system.site_id:
        raise Conflict(f"system {mirrored.name} is not in production at site {system.site_id}")
    check_not_ended(mirrored)


def check_cluster(cluster: str | None, cluster_role: ClusterRole | None) -> None:
    """Raises Malformed unless a node of a cluster has a role in it."""
    if (cluster is None) != (cluster_role is None):
        missing, example = ("cluster_role", "member") if cluster_role is None else ("cluster", "storage")
        raise Malformed(missing, "cluster and cluster_role belong together", example)


def full_state(asset: Asset) -> AssetChanged:
    """What ``asset.changed`` tells of the asset."""
    return AssetChanged(kind=asset.kind, name=asset.name, state=asset.state, version=asset.version, **_facts(asset))


def _facts(asset: Asset) -> dict[str, Any]:
    if isinstance(asset, System):
        placed = {"environment": asset.environment, "deployment": asset.deployment, "mirrors": asset.mirrors}
        return placed | {"software": events.Software(**asset.software.model_dump())}
    if isinstance(asset, Component):
        return {"system_id": asset.system_id, "component": component_facts(asset)}
    address = DicomAddress(ae_title=asset.ae_title, host=asset.host, port=asset.port, role=asset.role)
    grouped = {"cluster": asset.cluster, "cluster_role": asset.cluster_role}
    return grouped | {"system_id": asset.system_id, "dicom": address}


def component_facts(component: Component) -> ComponentFacts:
    """What others are told of a component."""
    return ComponentFacts(
        type=component.type,
        serial=component.serial,
        manufacturer=component.manufacturer,
        model=component.model,
        version=component.software_version,
        purchase_date=component.purchase_date,
        installed_in=component.installed_in,
        product_id=component.product_id,
        installed_on=component.installed_on,
    )
