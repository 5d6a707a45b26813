"""Imports over HTTP: a file is sent, and what becomes of it is asked for."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Request

from services.inventory.documents.upload import Intake, Limits, described
from services.inventory.imports import handlers, store
from services.inventory.imports.domain import Import, NewImport, RowReport, What
from shared.errors import Malformed, NotFound
from shared.events import GROUP
from shared.events.contract import SITE_ID
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/imports", tags=["imports"])


def uploads_router(limits: Limits) -> APIRouter:
    """The route that takes files."""
    uploads = APIRouter(prefix="/v1/imports", tags=["imports"])
    intake = Intake(limits)

    @uploads.post("", status_code=202, openapi_extra=described(NewImport))
    async def request_import(
        call: Annotated[Call, requires("operator", limits.body_bytes)], request: Request
    ) -> Import:
        """Takes a file in, from a form with its fields and one file; it is carried out as soon as it is its turn.

        All of it is done or nothing. Sent again, it changes nothing: what is there already is the `same`.
        """
        async with intake.received(request, partial(_check_site, call)) as upload:
            wanted = upload.body(NewImport)
            if wanted.restore:
                call.caller.require_everywhere("group-admin")
            if wanted.site_id != GROUP:
                call.caller.require("operator", wanted.site_id)
            await handlers.check_file(upload, wanted)
            keyed = call.for_content(upload.digest)
            return await keyed.run(handlers.request_import, wanted, upload, call.caller)

    return uploads


async def _check_site(call: Call, fields: Mapping[str, Sequence[str]]) -> None:
    """Raises Forbidden, NotFound where a form says already that its rows are of a site that is not the caller's."""
    for site_id in fields.get("site_id", ()):
        if site_id != GROUP and re.fullmatch(SITE_ID, site_id):
            call.caller.require("operator", site_id)


@router.get("")
async def list_imports(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Import]:
    """The imports of your sites and your own ones, the latest first."""
    async with call.read() as conn:
        found = await store.select_imports(conn, call.caller, paging.after, paging.limit + 1)
    return paging.page(found, lambda one: one.id)


@router.get("/{import_id}")
async def get_import(import_id: Id, call: Annotated[Call, requires("viewer")]) -> Import:
    """How far an import has come, and what became of its rows."""
    return call.tag(await _find(call, import_id))


@router.get("/{import_id}/rows")
async def list_rows(
    import_id: Id, call: Annotated[Call, requires("viewer")], paging: Paging, what: What | None = None
) -> Page[RowReport]:
    """What became of each row that is not as it was, in the order of the file: all its changes, or all its faults."""
    await _find(call, import_id)
    async with call.read() as conn:
        found = await store.select_reports(conn, import_id, what, _number(paging.after), paging.limit + 1)
    return paging.page(found, lambda row: str(row.number))


async def _find(call: Call, import_id: str) -> Import:
    async with call.read() as conn:
        found = await store.select_import(conn, import_id)
        if not call.caller.has("viewer", found.site_id) and not await store.is_own(conn, import_id, call.caller):
            raise NotFound(f"no import {import_id}")
    return found


def _number(cursor: str | None) -> int:
    if cursor is None:
        return -1
    if not re.fullmatch(r"[0-9]{1,12}", cursor, re.ASCII):
        raise Malformed("cursor", "must be the `next` of an answer", "17")
    return int(cursor)
