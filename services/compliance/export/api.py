"""Exports over HTTP, as streams; and the search of FHIR for AuditEvents (IHE ITI-81).

A fault behind the first piece cuts the answer short, and every format shows a cut: lines and tables have a closing
one, JSON and XML an end, a zip file its directory.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from services.compliance.export import fhir, handlers
from services.compliance.export.domain import Format
from services.compliance.export.evidence import Claim
from services.compliance.export.fhir_errors import FhirRoute
from services.compliance.export.formats import CSV, DICOM, NDJSON, fhir_bundle, written
from services.compliance.export.iti81 import CODINGS, parse_search
from services.compliance.search.api import Filtered, Filters
from services.compliance.search.domain import Query as Sought
from services.compliance.search.handlers import Given, given_in, record_access
from services.compliance.search.places import Cursor, Span
from shared.errors import Malformed
from shared.http import Call, requires

MAX_COUNT = 500
MAX_INDEX = 2**63 - 1
ZIP = "application/zip"
FORMATS: Mapping[str, Format] = {form.name: form for form in (NDJSON, CSV, DICOM)}
JSON_NAMES = frozenset({"json", "application/json", fhir.MEDIA_TYPE})

fhir_router = APIRouter(prefix="/v1/fhir", tags=["export"], route_class=FhirRoute)

Auditing = Annotated[Call, requires("auditor")]
Asked = Annotated[Given, Depends(given_in)]
Value = Annotated[str, Query(max_length=1000, pattern=r"^[^\x00-\x1f]*$")]


def claimed(filters: Filters) -> Claim:
    """What a package of evidence is about. Raises Malformed unless it is one site and one period, and no more."""
    site_id, start, end = filters.sought.site_id, filters.start, filters.end
    if site_id is None:
        raise Malformed("site_id", "must name the site of the evidence", "north")
    if start is None or end is None:
        raise Malformed("from", "must be given with `to`: evidence is of a period", "2026-03-01T00:00:00Z")
    if filters.sought != Sought(site_id=site_id):
        raise Malformed("format", "evidence holds all entries of a site; leave the other filters out", "ndjson")
    return Claim(site_id, start, end)


class Iti81:
    """The parameters of an ITI-81 search; each may be given several times, and all must be met then."""

    def __init__(
        self,
        request: Request,
        date: Annotated[list[Value], Query(examples=[["ge2026-03-01", "le2026-03-31"]])],
        address: Annotated[list[Value] | None, Query()] = None,
        agent: Annotated[list[Value] | None, Query(alias="agent.identifier")] = None,
        patient: Annotated[list[Value] | None, Query(alias="patient.identifier")] = None,
        entity: Annotated[list[Value] | None, Query(alias="entity.identifier")] = None,
        entity_type: Annotated[list[Value] | None, Query(alias="entity-type")] = None,
        entity_role: Annotated[list[Value] | None, Query(alias="entity-role")] = None,
        source: Annotated[list[Value] | None, Query(alias="source.identifier")] = None,
        type: Annotated[list[Value] | None, Query()] = None,
        subtype: Annotated[list[Value] | None, Query()] = None,
        outcome: Annotated[list[Value] | None, Query()] = None,
        action: Annotated[list[Value] | None, Query()] = None,
        site: Annotated[list[Value] | None, Query()] = None,
    ) -> None:
        given = request.query_params.multi_items()
        self.parameters = [(name, value) for name, value in given if name == "date" or name in CODINGS]
        self.search = parse_search(self.parameters)


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same pieces, of which the first is made before anything is sent: until then, a fault is an answer."""
    first = await anext(pieces)

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()


def _base(request: Request, route: str) -> str:
    """Where this service's FHIR resources are, as the caller has reached it."""
    return str(request.url.replace(query="")).partition(route)[0] + "/fhir"


def _file(filters: Filters, suffix: str) -> Mapping[str, str]:
    days = [f"{moment:%Y%m%d}" for moment in (filters.start, filters.end) if moment]
    name = "-".join(["steward-audit", filters.sought.site_id or "all", *days])
    return {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}


class Exporter:
    """The route of exports. ``keys`` are the public keys that a package of evidence mentions."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys

    async def export(
        self,
        call: Auditing,
        given: Asked,
        request: Request,
        format: Literal["ndjson", "csv", "fhir", "dicom", "evidence"],
        filters: Filtered,
    ) -> StreamingResponse:
        """All events that have what is asked for, the oldest first, up to now; or the evidence of a site and a period.

        ``from`` and ``to`` mean the time of the event, and for evidence that of its recording.
        """
        if filters.sought.site_id is not None:
            call.caller.require("auditor", filters.sought.site_id)
        claim = claimed(filters) if format == "evidence" else None
        await record_access(call, "export", given, filters.sought.site_id)
        if claim is not None:
            package = await handlers.open_evidence(call.read, claim, self._keys)
            return StreamingResponse(await _begun(package), media_type=ZIP, headers=_file(filters, "zip"))
        form = FORMATS.get(format) or fhir_bundle(_base(request, "/export"))
        start, end = filters.start, filters.end or datetime.now(UTC)
        pages = handlers.found_pages(call, filters.sought, Span.between(start, end))
        pieces = written(form, pages, lambda: handlers.find_gaps(call.read, start, end))
        return StreamingResponse(await _begun(pieces), media_type=form.media_type, headers=_file(filters, form.suffix))


def export_router(keys: Sequence[str]) -> APIRouter:
    """The routes of exports."""
    router = APIRouter(prefix="/v1/export", tags=["export"])
    router.add_api_route("", Exporter(keys).export, methods=["GET"], response_class=StreamingResponse)
    return router


@fhir_router.get("/metadata")
async def tell_capabilities(call: Auditing, request: Request) -> JSONResponse:
    """What can be asked of the audit trail in FHIR, as a CapabilityStatement."""
    return JSONResponse(fhir.capability_statement(_base(request, "/fhir/"), CODINGS), media_type=fhir.MEDIA_TYPE)


@fhir_router.get("/AuditEvent")
async def search_audit_events(
    call: Auditing,
    given: Asked,
    request: Request,
    asked: Annotated[Iti81, Depends()],
    count: Annotated[int, Query(alias="_count", ge=1, le=MAX_COUNT)] = 100,
    representation: Annotated[str, Query(alias="_format", max_length=100)] = "json",
    cursor: Annotated[str | None, Query(alias="_cursor", max_length=200)] = None,
) -> JSONResponse:
    """The AuditEvents that meet every parameter, the newest first (IHE ITI-81). ``date`` must be given."""
    if representation not in JSON_NAMES:
        raise Malformed("_format", "must be JSON", fhir.MEDIA_TYPE)
    question = json.dumps(sorted(asked.parameters)).encode()
    place = None if cursor is None else _place(cursor, question)
    site_id = asked.search.narrowing.site_id
    if site_id is not None:
        call.caller.require("auditor", site_id)
    await record_access(call, "fhir", given, site_id)
    found = await handlers.find_events(call, asked.search, place, count)
    base = _base(request, "/fhir/")
    links = {"self": str(request.url)}
    if found.rest is not None:
        links["next"] = str(request.url.include_query_params(_cursor=found.rest.write(question)))
    entries = [fhir.bundle_entry(event, base, found=True) for event in found.events]
    return JSONResponse(fhir.search_set(entries, links), media_type=fhir.MEDIA_TYPE)


def _place(cursor: str, question: bytes) -> Cursor:
    try:
        return Cursor.parse(cursor, question)
    except Malformed as exc:
        rule = "must be that of a Bundle's link `next` for the same question, as it was"
        raise Malformed("_cursor", rule, "leave it out") from exc


@fhir_router.get("/AuditEvent/{index}")
async def get_audit_event(
    call: Auditing, given: Asked, index: Annotated[int, Path(ge=0, le=MAX_INDEX)]
) -> JSONResponse:
    """One entry as AuditEvent, by its index."""
    await record_access(call, "fhir", given)
    return JSONResponse(await handlers.find_event(call, index), media_type=fhir.MEDIA_TYPE)
