"""Documents over HTTP."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse

from services.inventory.documents import handlers, store
from services.inventory.documents.domain import (
    MAX_ASSETS,
    SITE,
    ChangeDocument,
    Document,
    NewDocument,
    NewVersion,
    admit,
)
from services.inventory.documents.handlers import Inspect
from services.inventory.documents.store import Selection
from services.inventory.documents.upload import Intake, Limits, described
from shared.errors import Malformed
from shared.events import SiteId
from shared.events.documents import DocumentKind
from shared.grants import Role
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import UUID, Day, Id, check_version

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")


router = APIRouter(prefix="/v1/documents", tags=["documents"])


def uploads_router(limits: Limits, inspectors: Mapping[DocumentKind, Inspect]) -> APIRouter:
    """The routes that take files. ``inspectors`` look into those of kinds that machines read."""
    uploads = APIRouter(prefix="/v1/documents", tags=["documents"])
    intake, reads = Intake(limits), limits.body_bytes

    @uploads.post("", status_code=201, openapi_extra=described(NewDocument))
    async def upload_document(call: Annotated[Call, requires("operator", reads)], request: Request) -> Document:
        """Adds a document, from a form with its fields and one file.

        Fields that stand before the file are looked at first: what is refused for its place is refused unread.
        """
        async with intake.received(request, partial(_check_place, call)) as upload:
            wanted = upload.body(NewDocument)
            admit(call.caller, "operator", wanted.site_id)
            content = await handlers.inspect_upload(upload, inspectors.get(wanted.kind))
            keyed = call.for_content(upload.digest)
            return await keyed.run(handlers.register_document, wanted, content, upload.file)

    @uploads.post("/{document_id}/versions", status_code=201, openapi_extra=described(NewVersion))
    async def upload_version(
        document_id: Id, call: Annotated[Call, requires("operator", reads)], version: IfMatch, request: Request
    ) -> Document:
        """Adds a version from a form with one file; what stood before stays readable."""
        old = await find(call, "operator", document_id)
        check_version(f"document {document_id}", old, version)
        async with intake.received(request, _look_at_nothing) as upload:
            told = upload.body(NewVersion)
            content = await handlers.inspect_upload(upload, inspectors.get(old.kind))
            keyed = call.for_content(upload.digest)
            return await keyed.run(handlers.add_version, document_id, version, told, content, upload.file)

    return uploads


@router.get("")
async def list_documents(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    kind: DocumentKind | None = None,
    asset_id: Id | None = None,
    change_id: Id | None = None,
    ends_before: Day | None = None,
) -> Page[Document]:
    """The documents of your sites and of the group, each as it stands; ``ends_before`` finds what needs renewal."""
    chosen = Selection(call.caller.sites("viewer"), site_id, kind, asset_id, change_id, ends_before)
    async with call.read() as conn:
        found = await store.select_documents(conn, chosen, paging.after, paging.limit + 1)
    return paging.page(found, lambda document: document.id)


@router.get("/{document_id}")
async def get_document(document_id: Id, call: Annotated[Call, requires("viewer")]) -> Document:
    """The document, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await find(call, "viewer", document_id))


@router.put("/{document_id}")
async def change_document(
    document_id: Id, body: ChangeDocument, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Document:
    """Changes what is told of a document; that too is a version of its own, with the same file."""
    await find(call, "operator", document_id)
    return await call.run(handlers.change_document, document_id, version, body)


@router.get("/{document_id}/versions")
async def list_versions(document_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Document]:
    """All versions of a document, the first one first."""
    await find(call, "viewer", document_id)
    after = _number(paging.after)
    async with call.read() as conn:
        found = await store.select_versions(conn, document_id, call.caller.sites("viewer"), after, paging.limit + 1)
    return paging.page(found, lambda document: str(document.version))


@router.get("/{document_id}/versions/{document_version}")
async def get_version(document_id: Id, document_version: Number, call: Annotated[Call, requires("viewer")]) -> Document:
    """One version, as it stood."""
    return await find(call, "viewer", document_id, document_version)


@router.get("/{document_id}/versions/{document_version}/content", response_class=StreamingResponse)
async def get_content(
    document_id: Id, document_version: Number, call: Annotated[Call, requires("viewer")]
) -> StreamingResponse:
    """The file of a version, byte for byte; no browser shows it or guesses what it is."""
    document = await find(call, "viewer", document_id, document_version)
    pieces = handlers.stream_content(call.context.pool, document.sha256)
    return StreamingResponse(pieces, media_type=document.media_type, headers=_headers(document))


async def find(call: Call, role: Role, document_id: str, number: int | None = None) -> Document:
    """The document or one of its versions, for a caller who has ``role`` where it belongs."""
    async with call.read() as conn:
        return await handlers.find_admitted(conn, call.caller, role, document_id, number)


async def _check_place(call: Call, fields: Mapping[str, Sequence[str]]) -> None:
    """Raises NotFound, Forbidden where a form says already that its document can't be where it shall be."""
    told = fields.get("site_id", ())
    if len(told) != 1 or not re.fullmatch(SITE, told[0]):
        return
    admit(call.caller, "operator", told[0])
    named = [one.lower() for one in fields.get("asset_ids", ()) if re.fullmatch(UUID, one)]
    if named:
        async with call.read() as conn:
            await handlers.check_place(conn, told[0], named[:MAX_ASSETS])


async def _look_at_nothing(_: Mapping[str, Sequence[str]]) -> None:
    """The address has said all already."""


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", cursor, re.ASCII):
        raise Malformed("cursor", "must be the `next` of an answer", "3")
    return int(cursor)


def _headers(document: Document) -> dict[str, str]:
    plain = UNSAFE.sub("_", document.name)
    digest = b64encode(bytes.fromhex(document.sha256)).decode()
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(document.name, safe='')}",
        "Content-Length": str(document.size),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{document.sha256}"',
        "Repr-Digest": f"sha-256=:{digest}:",
    }
