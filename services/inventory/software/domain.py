"""Rules of software: what an asset runs, how two lists differ, and when what nobody approved is an alert."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.inventory.assets.domain import Asset, Component
from services.inventory.documents.domain import SHA256, SYSTEM, Document
from services.inventory.software.approval import VersionRange, parse_pattern
from services.inventory.software.cyclonedx import Item
from shared.errors import Conflict
from shared.events import Instant
from shared.events.documents import ApprovedSoftwareChanged, DocumentKind, SoftwareType
from shared.events.inventory import ComponentType
from shared.resource import Body, Id, Line, Prose, Resource

CHECK = "unapproved-software"
TOLD = 5
"""How many names a summary has; the list has all."""

AssetType = Literal["system", "node"] | ComponentType
DOCUMENT = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b15"


class TakeDocument(Body):
    """Which document's newest version counts for the asset from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"document_id": DOCUMENT}]})

    document_id: Id


class Program(BaseModel):
    """One piece of an asset's software. ``approved`` is null where no approved list holds for the asset."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(description="its place in the SBOM")
    type: SoftwareType
    name: str = Field(examples=["org.apache.logging.log4j/log4j-core"])
    version: str | None = Field(examples=["2.24.1"])
    purl: str | None = Field(examples=["pkg:maven/org.apache.logging.log4j/log4j-core@2.24.1"])
    cpe: str | None
    supplier: str | None = Field(examples=["The Apache Software Foundation"])
    hashes: dict[str, str]
    approved: bool | None = None


class Taken(BaseModel):
    """Where an asset's software is known from, and how much of it is on no approved list."""

    model_config = ConfigDict(frozen=True)

    asset_id: str = Field(examples=[SYSTEM])
    site_id: str = Field(examples=["north"])
    document_id: str = Field(examples=[DOCUMENT])
    sha256: str = Field(examples=[SHA256])
    items: int
    unapproved: int | None = Field(description="null where no approved list holds for the asset")
    taken_at: Instant
    taken_by: str = Field(examples=["alice"])


@dataclass(frozen=True)
class Finding:
    """The open alert of an asset: since when, and which software it has told of."""

    alert_id: str
    raised_at: datetime
    told: frozenset[str]


class Named(Protocol):
    """Software by name and version."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str | None:
        """Its version."""


def label(one: Named) -> str:
    """The software as a person reads it."""
    return f"{one.name} {one.version}" if one.version else one.name


def summary_of(labels: Sequence[str]) -> str:
    """What an alert says."""
    rest = f" and {len(labels) - TOLD} more" if len(labels) > TOLD else ""
    return f"{len(labels)} on no approved list: {', '.join(name[:100] for name in labels[:TOLD])}{rest}"


def is_news(finding: Finding | None, unapproved: Iterable[str]) -> bool:
    """Whether there is unapproved software that no open alert has told of."""
    return not set(unapproved) <= (finding.told if finding else frozenset())


class Changed(BaseModel):
    """What one thing was and is."""

    before: str | None = Field(examples=["2.17.0"])
    after: str | None = Field(examples=["2.24.1"])
    type: SoftwareType
    name: str


class Mentioned(BaseModel):
    """A piece of software that one list has and the other has not."""

    type: SoftwareType
    name: str
    version: str | None
    purl: str | None


class Difference(BaseModel):
    """How two lists of software differ. ``changed`` is what both have, in one version each, and not in the same."""

    added: list[Mentioned]
    removed: list[Mentioned]
    changed: list[Changed]


def item_of(program: Program) -> Item:
    """The program as its SBOM told of it."""
    return Item(**program.model_dump(exclude={"number", "approved"}))


def difference(before: Iterable[Item], after: Iterable[Item]) -> Difference:
    """How the software after differs from that before; in order of name."""
    old, new = _by_identity(before), _by_identity(after)
    found = Difference(added=[], removed=[], changed=[])
    for identity in sorted(old.keys() | new.keys()):
        was, now = old.get(identity, {}), new.get(identity, {})
        gone = [was[version] for version in was.keys() - now.keys()]
        come = [now[version] for version in now.keys() - was.keys()]
        if len(was) == len(now) == len(gone) == len(come) == 1:
            [one], [other] = gone, come
            found.changed.append(Changed(before=one.version, after=other.version, type=other.type, name=other.name))
        else:
            found.removed.extend(_mentioned(gone))
            found.added.extend(_mentioned(come))
    return found


def _by_identity(items: Iterable[Item]) -> Mapping[tuple[str, str], Mapping[str, Item]]:
    grouped: dict[tuple[str, str], dict[str, Item]] = defaultdict(dict)
    for item in items:
        grouped[item.identity].setdefault(item.version or "", item)
    return grouped


def _mentioned(items: Iterable[Item]) -> list[Mentioned]:
    ordered = sorted(items, key=label)
    return [Mentioned(type=one.type, name=one.name, version=one.version, purl=one.purl) for one in ordered]


class ApproveSoftware(Body):
    """What may be installed. Without ``versions`` all of them, without a type whatever type, and on whatever asset."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "PostgreSQL*", "versions": ">=16, <18", "asset_type": "server"}]}
    )

    name: Annotated[Line, AfterValidator(parse_pattern)] = Field(description="* stands for any text, at most twice")
    versions: VersionRange | None = None
    software_type: SoftwareType | None = None
    asset_type: AssetType | None = Field(None, description="system, node, or the type of a component")
    note: Prose = ""


class NewApproval(ApproveSoftware):
    """An entry of the approved list; ``site_id`` is ``group`` for what is approved at every site."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"site_id": "north", "name": "PostgreSQL*", "versions": ">=16, <18"}]}
    )

    site_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class ApprovedSoftware(Resource):
    """An entry of the approved list of a site or of the group."""

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b16"])
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["PostgreSQL*"])
    versions: str | None = Field(examples=[">=16, <18"])
    software_type: SoftwareType | None
    asset_type: AssetType | None
    note: str


def asset_type_of(asset: Asset) -> str:
    """By which type the approved list knows an asset."""
    return asset.type if isinstance(asset, Component) else asset.kind


def system_of(asset: Asset) -> str | None:
    """The system that an asset is or belongs to."""
    return asset.id if asset.kind == "system" else asset.system_id


def check_kind(document: Document, kind: DocumentKind) -> None:
    """Raises Conflict for a document of another kind."""
    if document.kind != kind:
        raise Conflict(f"document {document.id} is of the kind {document.kind}; this takes {kind}")


def check_belongs(document: Document, asset: Asset) -> None:
    """Raises Conflict for a document of other assets."""
    if asset.id not in document.asset_ids:
        raise Conflict(f"document {document.id} does not belong to {asset.kind} {asset.name}")


def full_state(entry: ApprovedSoftware, deleted: bool = False) -> ApprovedSoftwareChanged:
    """What ``approved_software.changed`` tells of an entry."""
    told = entry.model_dump(include=set(ApprovedSoftwareChanged.model_fields))
    return ApprovedSoftwareChanged(**told, deleted=deleted)
