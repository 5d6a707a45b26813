"""Rules of documents: what one is, what its next version keeps, and whom it may belong to."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.inventory.assets.domain import Asset, check_not_ended
from services.inventory.documents.names import FileName
from shared.errors import Conflict, NotFound
from shared.events import GROUP, Instant
from shared.events.documents import DocumentChanged, DocumentKind
from shared.grants import Caller, Role
from shared.resource import Body, Day, Id, Line, Resource

MAX_ASSETS = 100
SITE = r"^[a-z][a-z0-9-]{0,62}$"
TITLE = "North archive: quick reference"
SYSTEM = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10"
CHANGE = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b14"
SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

AssetIds = Annotated[list[Id], Field(max_length=MAX_ASSETS), AfterValidator(lambda ids: sorted(set(ids)))]


class ChangeDocument(Body):
    """All that can change about a document without a new file."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": TITLE, "asset_ids": [SYSTEM], "valid_until": "2027-12-31"}]}
    )

    title: Line
    asset_ids: AssetIds = Field(default_factory=list)
    change_id: Id | None = Field(None, description="the change, patch or work order that it was written for")
    valid_until: Day | None = Field(None, description="its last day, where it has one")


class NewDocument(ChangeDocument):
    """What a document is uploaded as. ``site_id`` is ``group`` for what belongs to the whole group."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"site_id": "north", "kind": "quick_reference", "title": TITLE, "asset_ids": [SYSTEM]}]
        }
    )

    site_id: Annotated[str, Field(pattern=SITE)]
    kind: DocumentKind


class NewVersion(Body):
    """What is told beside the file of a new version; what is left out stays as it was."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"change_id": CHANGE}]})

    title: Line | None = None
    change_id: Id | None = None
    valid_until: Day | None = None


class Content(BaseModel):
    """A file as it was checked and stored."""

    model_config = ConfigDict(frozen=True)

    name: FileName = Field(examples=["quick-reference.pdf"])
    media_type: str = Field(examples=["application/pdf"])
    size: int = Field(examples=[48_213])
    sha256: str = Field(examples=[SHA256])


class Document(Content, Resource):
    """A document as it stands, or one of its versions; each version has its file, and stays as it was.

    ``asset_ids`` are the assets that it belongs to, of those that the caller may see.
    """

    id: str = Field(examples=["0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b15"])
    site_id: str = Field(examples=["north"])
    kind: DocumentKind
    title: str = Field(examples=[TITLE])
    asset_ids: list[str] = Field(examples=[[SYSTEM]])
    change_id: str | None = Field(examples=[CHANGE])
    valid_until: date | None
    made_at: Instant
    made_by: str = Field(examples=["alice"])

    def is_valid_on(self, day: date) -> bool:
        """Whether it may still be relied on."""
        return self.valid_until is None or day <= self.valid_until


def admit(caller: Caller, role: Role, site_id: str, what: str | None = None) -> None:
    """Lets through who has the role at the site. What is the whole group's may be read by all who read anything.

    Raises NotFound, Forbidden.
    """
    if site_id != GROUP:
        caller.require(role, site_id, what)
    elif role != "viewer":
        caller.require_everywhere("group-admin")


def check_assets(site_id: str, assets: Sequence[Asset], before: Sequence[str] = ()) -> Mapping[str, str]:
    """The site of each asset that a document is to belong to.

    Raises NotFound for one of another site, Conflict for one that is new to the document and whose life is over.
    """
    for asset in assets:
        if site_id not in (GROUP, asset.site_id):
            raise NotFound(f"no asset {asset.id}")
        if asset.id not in before:
            check_not_ended(asset)
    return {asset.id: asset.site_id for asset in assets}


def check_new_content(old: Document, content: Content) -> None:
    """Raises Conflict when the file is the one that the document has."""
    if (content.sha256, content.name) == (old.sha256, old.name):
        raise Conflict(f"version {old.version} of the document has this very file", sha256=old.sha256)


def kept_state(document: Document) -> Document:
    """What history shows: everybody may see what the group has, so its assets at single sites are left out."""
    return document.model_copy(update={"asset_ids": []}) if document.site_id == GROUP else document


def full_state(document: Document) -> DocumentChanged:
    """What ``document.changed`` tells of the document."""
    return DocumentChanged(
        **document.model_dump(include=set(DocumentChanged.model_fields) - {"valid_until"}),
        valid_until=document.valid_until and document.valid_until.isoformat(),
    )
