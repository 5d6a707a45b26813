"""Software, the approved list and MDS2 forms over HTTP."""

import re
from typing import Annotated

from fastapi import APIRouter, Query

from services.inventory.assets import handlers as assets
from services.inventory.documents import handlers as documents
from services.inventory.documents.domain import Document, admit
from services.inventory.software import handlers, store
from services.inventory.software.domain import (
    ApprovedSoftware,
    ApproveSoftware,
    Difference,
    NewApproval,
    Program,
    TakeDocument,
    Taken,
)
from services.inventory.software.questionnaire import Form
from shared.errors import Malformed
from shared.events import SiteId
from shared.grants import Role
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1", tags=["software"])

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.post("/assets/{asset_id}/software")
async def take_sbom(asset_id: Id, body: TakeDocument, call: Annotated[Call, requires("operator")]) -> Taken:
    """Makes an SBOM that was uploaded, and belongs to the asset, what is known of its software."""
    await call.find("operator", "asset", assets.find_asset, asset_id)
    document = await _find(call, body.document_id)
    async with call.read() as conn:
        sbom = await handlers.read_sbom_of(conn, document)
    return await call.run(handlers.take_sbom, asset_id, document, sbom)


@router.get("/assets/{asset_id}/software")
async def list_software(
    asset_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging, unapproved: bool | None = None
) -> Page[Program]:
    """What an asset runs by its SBOM; with ``unapproved=true`` only what no approved list allows."""
    await call.find("viewer", "asset", assets.find_asset, asset_id)
    after = _number(paging.after)
    async with call.read() as conn:
        found = await store.select_some_items(conn, asset_id, unapproved, after, paging.limit + 1)
    return paging.page(found, lambda program: str(program.number))


@router.get("/assets/{asset_id}/sbom")
async def get_sbom(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Taken:
    """Which SBOM counts for an asset, and how much of it is on no approved list."""
    await call.find("viewer", "asset", assets.find_asset, asset_id)
    async with call.read() as conn:
        return await store.select_list(conn, asset_id)


@router.get("/documents/{document_id}/sbom-difference")
async def compare_sboms(
    document_id: Id,
    call: Annotated[Call, requires("viewer")],
    document_version: Version = None,
    before_document: Id | None = None,
    before_version: Version = None,
) -> Difference:
    """How the software of an SBOM differs from that of another one, or of its own version before."""
    new = await _find(call, document_id, document_version)
    if before_document is None and before_version is None:
        before_version = max(1, new.version - 1)
    old = await _find(call, before_document or document_id, before_version)
    async with call.read() as conn:
        return await handlers.compare_sboms(conn, old, new)


@router.post("/approved-software", status_code=201)
async def approve_software(body: NewApproval, call: Annotated[Call, requires("site-admin")]) -> ApprovedSoftware:
    """Adds an entry to the approved list of a site or of the group; installed software is compared at once."""
    admit(call.caller, "site-admin", body.site_id)
    return await call.run(handlers.approve_software, body)


@router.get("/approved-software")
async def list_approved(
    call: Annotated[Call, requires("viewer")], paging: Paging, site_id: SiteId | None = None
) -> Page[ApprovedSoftware]:
    """The approved lists of your sites and of the group."""
    visible = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_entries(conn, visible, site_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda entry: entry.id)


@router.get("/approved-software/{approval_id}")
async def get_approval(approval_id: Id, call: Annotated[Call, requires("viewer")]) -> ApprovedSoftware:
    """The entry, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await _find_entry(call, "viewer", approval_id))


@router.put("/approved-software/{approval_id}")
async def change_approval(
    approval_id: Id, body: ApproveSoftware, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> ApprovedSoftware:
    """Changes an entry; installed software is compared at once."""
    await _find_entry(call, "site-admin", approval_id)
    return await call.run(handlers.change_approval, approval_id, version, body)


@router.delete("/approved-software/{approval_id}")
async def end_approval(
    approval_id: Id, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> ApprovedSoftware:
    """Takes an entry away; the answer shows it a last time."""
    await _find_entry(call, "site-admin", approval_id)
    return await call.run(handlers.end_approval, approval_id, version)


@router.post("/assets/{asset_id}/mds2")
async def take_mds2(asset_id: Id, body: TakeDocument, call: Annotated[Call, requires("operator")]) -> Form:
    """Makes an MDS2 form that was uploaded, and belongs to the asset, what is known of its security."""
    await call.find("operator", "asset", assets.find_asset, asset_id)
    document = await _find(call, body.document_id)
    async with call.read() as conn:
        answers = await handlers.read_mds2_of(conn, document)
    return await call.run(handlers.take_mds2, asset_id, document, answers)


@router.get("/assets/{asset_id}/mds2")
async def get_mds2(asset_id: Id, call: Annotated[Call, requires("viewer")]) -> Form:
    """What an asset's maker answers about its security, and which capabilities are answered No."""
    await call.find("viewer", "asset", assets.find_asset, asset_id)
    async with call.read() as conn:
        return await store.select_form(conn, asset_id)


async def _find(call: Call, document_id: str, number: int | None = None) -> Document:
    async with call.read() as conn:
        return await documents.find_admitted(conn, call.caller, "viewer", document_id, number)


async def _find_entry(call: Call, role: Role, approval_id: str) -> ApprovedSoftware:
    async with call.read() as conn:
        entry = await store.select_entry(conn, approval_id)
    admit(call.caller, role, entry.site_id, f"approved software {approval_id}")
    return entry


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", cursor, re.ASCII):
        raise Malformed("cursor", "must be the `next` of an answer", "100")
    return int(cursor)
