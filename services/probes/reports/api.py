"""Reports by people over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ConfigDict

from services.probes.reports import handlers, store
from services.probes.reports.domain import NewReport, Report, State
from services.probes.reports.text import Sentence
from shared.events import SiteId
from shared.http import Body, Call, IfMatch, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/reports", tags=["reports"])


class Closure(Body):
    """What came of it; who filed it, and who was called, read this."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"outcome": "A switch in the ED ran at 100 Mbit/s; it was replaced."}]}
    )

    outcome: Sentence


@router.post("", status_code=201)
async def file_report(body: NewReport, call: Annotated[Call, requires("viewer")]) -> Report:
    """Tells what you have noticed yourself, such as "images load slowly in the ED".

    What the probes saw at that moment is kept with it, and those who look after the system are called; in urgent cases,
    call them yourself. Name no patients and no examinations: many may read this, and its summary stays in the audit
    trail. Five in ten minutes are taken from one person, sixty in an hour from a site.
    """
    call.caller.require("viewer", body.site_id)
    return await call.run(handlers.file_report, body)


@router.get("")
async def list_reports(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    site_id: SiteId | None = None,
    system_id: Id | None = None,
    state: State | None = None,
) -> Page[Report]:
    """The reports of your sites, the latest first."""
    selection = store.Selection(call.caller.sites("viewer"), site_id, system_id, state)
    async with call.read() as conn:
        found = await store.select_reports(conn, selection, paging.after, paging.limit + 1)
    return paging.page(found, lambda report: report.id)


@router.get("/{report_id}")
async def get_report(report_id: Id, call: Annotated[Call, requires("viewer")]) -> Report:
    """The report, with the ETag that closing it must name; 404 also where it is not yours to see."""
    return call.tag(await call.find("viewer", "report", store.select_report, report_id))


@router.get("/{report_id}/evidence", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def get_evidence(report_id: Id, call: Annotated[Call, requires("viewer")]) -> Response:
    """What the probes saw at that moment and in the hour before: last results, sums, open alerts and windows.

    Exactly the bytes whose SHA-256 is in the report, and in the event that told of it.
    """
    await call.find("viewer", "report", store.select_report, report_id)
    async with call.read() as conn:
        return Response(await store.select_evidence(conn, report_id), media_type="application/json")


@router.post("/{report_id}/closure")
async def close_report(
    report_id: Id, body: Closure, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Report:
    """Says what came of it. The alert is resolved when all reports that joined it are closed."""
    await call.find("operator", "report", store.select_report, report_id)
    return await call.run(handlers.close_report, report_id, version, body.outcome)
