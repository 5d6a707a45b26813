"""Rules of links: which assets each kind may join, and what there must not be twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.inventory.lifecycle.domain import FINAL
from shared.bulk import RowAnswer, Rows
from shared.errors import Conflict, Malformed, NotFound
from shared.events.inventory import AssetKind, DicomService, LifecycleState, LinkChanged, LinkKind
from shared.resource import Body, Id, Line, Resource

NEEDS: tuple[LinkKind, ...] = ("depends_on", "powered_by")
"""The kinds by which an asset can't do without another; together they never run in a circle."""

OUT_OF_REACH: frozenset[LifecycleState] = frozenset({"isolated", "sanitized", "disposed"})
"""States from which there is only the way to the end: nothing new may come to need what is in them."""

ACROSS_SITES = frozenset({"replicates_to", "fails_over_to"})
ELSEWHERE = "another site"

Need = Literal["depends_on", "powered_by", "installed_in", "belongs_to"]


class Cable(BaseModel):
    """What runs between two ports."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_port: Line | None = Field(None, examples=["eth0"])
    to_port: Line | None = Field(None, examples=["Gi1/0/14"])
    label: Line | None = Field(None, examples=["N-0114"])
    length_m: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = Field(None, examples=[3.0])


class LinkDraft(Body):
    """A link from one asset to another: the first depends on, is powered by, backs up to … the second."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "depends_on",
                    "from_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11",
                    "to_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
                    "note": "keeps its worklist there",
                }
            ]
        }
    )

    kind: LinkKind
    from_id: Id
    to_id: Id
    cable: Cable | None = Field(None, description="of connected_to")
    services: list[DicomService] = Field(default_factory=list, max_length=10, description="of dicom: what is used")
    note: Line | None = None


class LinkRows(Body):
    """Links to be made, each as POST /inventory/v1/links takes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "rows": [
                        {
                            "kind": "connected_to",
                            "from_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11",
                            "to_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
                            "cable": {"from_port": "eth0", "to_port": "Gi1/0/14", "label": "N-0114", "length_m": 3},
                        }
                    ]
                }
            ]
        }
    )

    rows: Rows


class Link(Resource):
    """A link as it stands, at the site of what it comes from; it is made and taken away, never changed."""

    id: str
    site_id: str = Field(examples=["north"])
    kind: LinkKind
    from_id: str
    to_id: str
    to_site_id: str
    cable: Cable | None
    services: list[DicomService]
    note: str | None

    @property
    def plugs(self) -> list[tuple[str, str]]:
        """The ports that it takes, each with its asset."""
        cable = self.cable or Cable()
        ends = ((self.from_id, cable.from_port), (self.to_id, cable.to_port))
        return [(asset_id, port) for asset_id, port in ends if port is not None]


@dataclass(frozen=True)
class End:
    """An asset that a link begins or ends at."""

    id: str
    site_id: str
    kind: AssetKind
    name: str
    state: LifecycleState


class Dependent(BaseModel):
    """An asset that can't do without another, over ``distance`` steps; ``via`` is what the last of them is."""

    model_config = ConfigDict(frozen=True)

    id: str
    site_id: str = Field(examples=["north"])
    kind: AssetKind
    name: str = Field(examples=["Archive server 2"])
    state: LifecycleState
    via: Need
    distance: int = Field(examples=[1])


class Impact(BaseModel):
    """What falls when an asset falls, nearest first. ``complete`` is false where there is more than is shown."""

    asset_id: str
    affected: list[Dependent]
    complete: bool


class RowResult(RowAnswer):
    """What became of one row, by its place: a link, or a problem."""

    link: Link | None = None


class BulkResult(BaseModel):
    """What became of all rows."""

    created: int
    refused: int
    rows: list[RowResult]


def draft_link(link_id: str, draft: LinkDraft, origin: End, end: End) -> Link:
    """The link that is asked for. Raises Malformed, NotFound for an end at a site where it can't be, Conflict."""
    _check_parts(draft)
    if origin.id == end.id:
        raise Malformed("to_id", "must be another asset than from_id", "the id of what it needs")
    if origin.site_id != end.site_id and draft.kind not in ACROSS_SITES:
        raise NotFound(f"no asset {end.id} at site {origin.site_id}")
    if draft.kind == "dicom" and not origin.kind == end.kind == "node":
        raise Malformed("kind", "dicom joins two DICOM nodes", "connected_to")
    for asset in (origin, end):
        if asset.state in FINAL or (draft.kind in NEEDS and asset is end and asset.state in OUT_OF_REACH):
            raise Conflict(f"{asset.kind} {asset.name} is {asset.state}")
    return Link(
        id=link_id,
        version=1,
        site_id=origin.site_id,
        to_site_id=end.site_id,
        **{name: getattr(draft, name) for name in LinkDraft.model_fields} | {"services": sorted(set(draft.services))},
    )


def _check_parts(draft: LinkDraft) -> None:
    if draft.cable is not None and draft.kind != "connected_to":
        raise Malformed("cable", "is a part of connected_to only", "leave it out")
    if bool(draft.services) != (draft.kind == "dicom"):
        raise Malformed("services", "must be named for dicom, and for nothing else", "storage")


def check_no_cycle(names: Sequence[str] | None) -> None:
    """Raises Conflict naming the way back, if there is one from where a link ends to where it begins."""
    if names:
        circle = " → ".join([*names, names[0]])
        raise Conflict(f"that would close a circle of what needs what: {circle}", path=list(names))


def kept_state(link: Link) -> Link:
    """What history shows to all who see the site that a link comes from: nothing of what another site has."""
    if link.to_site_id == link.site_id:
        return link
    return link.model_copy(update={"to_id": ELSEWHERE, "to_site_id": ELSEWHERE})


def full_state(link: Link, deleted: bool) -> LinkChanged:
    """What ``link.changed`` tells of the link to all who see the site that it comes from: no other site's name."""
    to_site = link.to_site_id if link.to_site_id == link.site_id else ELSEWHERE
    return LinkChanged.model_validate(link.model_dump() | {"to_site_id": to_site, "deleted": deleted})
