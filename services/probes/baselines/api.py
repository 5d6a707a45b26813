"""What is usual, over HTTP: to be looked at, and to be forgotten where a target has changed for good."""

from typing import Annotated

from fastapi import APIRouter, Path

from services.probes.baselines import handlers, store
from services.probes.baselines.records import Learned
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/baselines", tags=["baselines"])

ProbeId = Annotated[str, Path(max_length=200, pattern=r"^[\x21-\x7e]+$", description="as results name the probe")]
Measure = Annotated[str, Path(max_length=63, pattern=r"^[a-z][a-z0-9_]*$", description="a measure or a phase")]


@router.get("")
async def list_baselines(
    call: Annotated[Call, requires("viewer")], paging: Paging, subject: Id | None = None
) -> Page[Learned]:
    """What was learned at your sites, or of one asset."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_learned(conn, sites, subject, paging.after, paging.limit + 1)
    return paging.page(found, lambda learned: learned.id)


@router.get("/{probe_id}/{measure}")
async def get_baseline(probe_id: ProbeId, measure: Measure, call: Annotated[Call, requires("viewer")]) -> Learned:
    """What was learned of one measure, with the ETag that forgetting it must name."""
    async with call.read() as conn:
        learned = await store.select_learned_of(conn, (probe_id, measure))
    call.caller.require("viewer", learned.site_id, f"baseline {probe_id}/{measure}")
    return call.tag(learned)


@router.delete("/{probe_id}/{measure}")
async def forget_baseline(
    probe_id: ProbeId, measure: Measure, call: Annotated[Call, requires("operator")], version: IfMatch
) -> Learned:
    """Forgets what was usual: it is learned anew, and nothing is judged by it until then.

    The header `Change-Reason` says why; the answer shows a last time what was known.
    """
    async with call.read() as conn:
        learned = await store.select_learned_of(conn, (probe_id, measure))
    call.caller.require("operator", learned.site_id, f"baseline {probe_id}/{measure}")
    return await call.run(handlers.forget_baseline, (probe_id, measure), version)
