"""Rules of assets: what a system and a DICOM node are, and how a node is addressed."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from services.inventory.lifecycle.domain import FINAL
from shared.errors import Conflict, Malformed
from shared.events import inventory as events
from shared.events.envelope import first_fault
from shared.events.inventory import AssetChanged, DicomAddress, LifecycleState, NodeRole
from shared.resource import Line, Resource

Kind = Literal["system", "node"]
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


class _Asset(Resource):
    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"])
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["North archive"])
    state: LifecycleState


class System(_Asset):
    """A PACS: what is bought, patched, backed up and retired as one."""

    kind: Literal["system"] = "system"
    software: Software


class Node(_Asset):
    """A DICOM application entity of a system: the archive itself, or a modality or workstation that talks to it."""

    kind: Literal["node"] = "node"
    system_id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"])
    ae_title: str = Field(examples=["NORTH_PACS"])
    host: str = Field(examples=["pacs.north.example.org"])
    port: int = Field(examples=[104])
    role: NodeRole


Asset = System | Node


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


def full_state(asset: Asset) -> AssetChanged:
    """What ``asset.changed`` tells of the asset."""
    if isinstance(asset, System):
        return AssetChanged(
            kind="system",
            name=asset.name,
            state=asset.state,
            version=asset.version,
            software=events.Software(**asset.software.model_dump()),
        )
    return AssetChanged(
        kind="node",
        name=asset.name,
        state=asset.state,
        version=asset.version,
        system_id=asset.system_id,
        dicom=DicomAddress(ae_title=asset.ae_title, host=asset.host, port=asset.port, role=asset.role),
    )
