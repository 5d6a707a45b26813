"""Suites and their runs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.probes.suites import handlers, store
from services.probes.suites.builtin import BUILT_IN
from services.probes.suites.domain import (
    RunRequest,
    Suite,
    SuiteChange,
    SuiteDraft,
    SuiteId,
    SuiteRun,
    SuiteRunWithItems,
)
from services.probes.targets.handlers import find_subject
from shared.errors import NotFound
from shared.events import GROUP
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id

suites_router = APIRouter(prefix="/v1/suites", tags=["suites"])
runs_router = APIRouter(prefix="/v1/suite-runs", tags=["suites"])

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256")]


@suites_router.post("", status_code=201)
async def create_suite(body: SuiteDraft, call: Annotated[Call, requires("site-admin")]) -> Suite:
    """Makes a suite for a site; one for the site `group` can be run everywhere."""
    call.caller.require("site-admin", body.site_id)
    return await call.run(handlers.create_suite, body, call.caller.has("group-admin", GROUP))


@suites_router.get("")
async def list_suites(call: Annotated[Call, requires("viewer")], paging: Paging) -> Page[Suite]:
    """The suites that come with Steward, those of the group and those of your sites, by id."""
    sites = call.caller.sites("viewer")
    visible = None if sites is None else {*sites, GROUP}
    async with call.read() as conn:
        made = await store.select_suites(conn, visible, paging.after, paging.limit + 1)
    brought = [suite for suite in BUILT_IN.values() if paging.after is None or suite.id > paging.after]
    return paging.page(
        sorted([*made, *brought], key=lambda suite: suite.id)[: paging.limit + 1], lambda suite: suite.id
    )


@suites_router.get("/{suite_id}")
async def get_suite(suite_id: SuiteId, call: Annotated[Call, requires("viewer")]) -> Suite:
    """The suite, with the ETag that its next change must name; 404 also where it is not yours to see."""
    return call.tag(await _visible(call, suite_id))


@suites_router.put("/{suite_id}")
async def change_suite(
    suite_id: SuiteId, body: SuiteChange, call: Annotated[Call, requires("site-admin")], version: IfMatch
) -> Suite:
    """Changes a suite of your own; runs that have begun keep their items."""
    call.caller.require("site-admin", (await _visible(call, suite_id)).site_id, f"suite {suite_id}")
    may_use_group = call.caller.has("group-admin", GROUP)
    return await call.run(handlers.replace_suite, suite_id, version, body, may_use_group)


@suites_router.delete("/{suite_id}")
async def delete_suite(suite_id: SuiteId, call: Annotated[Call, requires("site-admin")], version: IfMatch) -> Suite:
    """Deletes a suite of your own; the answer shows it a last time. Its runs stay."""
    call.caller.require("site-admin", (await _visible(call, suite_id)).site_id, f"suite {suite_id}")
    return await call.run(handlers.delete_suite, suite_id, version)


@runs_router.post("", status_code=202)
async def request_run(body: RunRequest, call: Annotated[Call, requires("operator")]) -> SuiteRun:
    """Asks for a run of a suite on a system. With an `id` that was used before, that run is answered."""
    system = await call.find("operator", "asset", find_subject, body.system_id)
    suite = await _visible(call, body.suite_id)
    if suite.site_id not in (GROUP, system.site_id):
        raise NotFound(f"no suite {body.suite_id}")
    return await call.run(handlers.request_run, body, system.site_id)


@runs_router.get("")
async def list_runs(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    system_id: Id | None = None,
    suite_id: SuiteId | None = None,
) -> Page[SuiteRun]:
    """The runs at your sites, the latest id first; of one system, or of one suite."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_runs(conn, sites, system_id, suite_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda run: run.id)


@runs_router.get("/{suite_run_id}")
async def get_run(suite_run_id: Id, call: Annotated[Call, requires("viewer")]) -> SuiteRunWithItems:
    """A run with its items: on what each ran, what it saw and what came of it."""
    run = await call.find("viewer", "suite run", store.select_run, suite_run_id)
    async with call.read() as conn:
        items = await store.select_items(conn, suite_run_id)
    return call.tag(SuiteRunWithItems(**dict(run), items=items))


@runs_router.get("/{suite_run_id}/evidence/{sha256}", response_class=Response)
async def get_evidence(suite_run_id: Id, sha256: Digest, call: Annotated[Call, requires("viewer")]) -> Response:
    """What was seen of one item, or the run's whole report: JSON, byte for byte as its SHA-256 says."""
    await call.find("viewer", "suite run", store.select_run, suite_run_id)
    async with call.read() as conn:
        content = await store.select_evidence(conn, suite_run_id, sha256)
    return Response(content, media_type="application/json")


async def _visible(call: Call, suite_id: str) -> Suite:
    async with call.read() as conn:
        suite = await handlers.find_suite(conn, suite_id)
    if suite.site_id != GROUP:
        call.caller.require("viewer", suite.site_id, f"suite {suite_id}")
    return suite
