"""Checks over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict

from services.probes.checks import handlers, store
from services.probes.checks.domain import EXAMPLE, BulkResult, Check, CheckChange, CheckDraft
from services.probes.targets.handlers import find_subject
from shared.bulk import Rows
from shared.events import GROUP, SiteId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1/checks", tags=["checks"])


class CheckRows(Body):
    """Checks to be made, each as POST /probes/v1/checks takes it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"rows": [EXAMPLE]}]})

    rows: Rows


@router.post("", status_code=201)
async def create_check(body: CheckDraft, call: Annotated[Call, requires("operator")]) -> Check:
    """Adds a check of an asset; it runs at once where the asset is in a state to answer."""
    await call.find("operator", "asset", find_subject, body.subject)
    return await call.run(handlers.create_check, body, call.caller.has("group-admin", GROUP))


@router.post("/bulk")
async def create_checks(
    body: CheckRows, call: Annotated[Call, requires("operator")], atomic: bool = False
) -> BulkResult:
    """Adds many checks, and says of each row what became of it; with ``atomic`` one that is refused stops them all."""

    def admit(site_id: str, what: str) -> None:
        call.caller.require("operator", site_id, what)

    return await call.run(handlers.create_checks, body.rows, admit, call.caller.has("group-admin", GROUP), atomic)


@router.get("")
async def list_checks(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    subject: Id | None = None,
    kind: Line | None = None,
) -> Page[Check]:
    """The checks of your sites."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_checks(conn, sites, site_id, subject, kind, paging.after, paging.limit + 1)
    return paging.page(found, lambda check: check.id)


@router.get("/{check_id}")
async def get_check(check_id: Id, call: Annotated[Call, requires("viewer")]) -> Check:
    """The check, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "check", store.select_check, check_id))


@router.put("/{check_id}")
async def change_check(
    check_id: Id, body: CheckChange, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Check:
    """Changes a check; all but its asset and its kind can be changed."""
    await call.find("operator", "check", store.select_check, check_id)
    may_use_group = call.caller.has("group-admin", GROUP)
    return await call.run(handlers.replace_check, check_id, version, body, may_use_group)


@router.delete("/{check_id}")
async def delete_check(check_id: Id, call: Annotated[Call, requires("operator")], version: IfMatch) -> Check:
    """Ends a check and resolves what alert it has; the answer shows it a last time."""
    await call.find("operator", "check", store.select_check, check_id)
    return await call.run(handlers.delete_check, check_id, version)
