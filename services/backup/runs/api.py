"""Runs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.backup.runs import handlers, store
from services.backup.runs.domain import Run
from services.backup.sets import handlers as sets
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1", tags=["runs"])


@router.post("/sets/{set_id}/runs", status_code=202)
async def plan_run(set_id: Id, call: Annotated[Call, requires("operator")]) -> Run:
    """Asks for a run of a protection set. It is carried out as soon as its repository is free."""
    await call.find("operator", "protection set", sets.find_set, set_id)
    return await call.run(handlers.plan_run, set_id)


@router.get("/runs")
async def list_runs(
    call: Annotated[Call, requires("viewer")], paging: Paging, set_id: Annotated[Id | None, Query()] = None
) -> Page[Run]:
    """The runs of your sites, the latest first, of one protection set or of all."""
    async with call.read() as conn:
        found = await store.select_runs(conn, call.caller.sites("viewer"), set_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda run: run.id)


@router.get("/runs/{run_id}")
async def get_run(run_id: Id, call: Annotated[Call, requires("viewer")]) -> Run:
    """One run, and how it ended."""
    return call.tag(await call.find("viewer", "run", store.select_run, run_id))
