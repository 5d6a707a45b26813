"""What each probe saw last, over HTTP in Prometheus' own format."""

from itertools import chain
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.probes.agents.handlers import find_agents
from services.probes.metrics import store
from services.probes.metrics.exposition import CONTENT_TYPE, exposition, exposition_of_agents
from shared.events import SiteId
from shared.http import Call, requires

router = APIRouter(prefix="/v1/metrics", tags=["metrics"])

SAMPLE = '# TYPE steward_probe_outcome gauge\nsteward_probe_outcome{probe="…",kind="dicom-echo",site="north"} 0.0\n'


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"example": SAMPLE}}, "description": "Prometheus' text format"}},
)
async def get_metrics(call: Annotated[Call, requires("viewer")], site_id: SiteId | None = None) -> StreamingResponse:
    """What each probe of your sites saw last, and how your agents stand, for Prometheus to scrape with an API key.

    `/probes/metrics`, without a key, is about the service itself and tells nothing of sites.
    """
    async with call.read() as conn:
        standings = await store.select_standings(conn, call.caller.sites("viewer"), site_id)
        agents = await find_agents(conn, call.caller.sites("viewer"))
    theirs = [agent for agent in agents if site_id is None or site_id in agent.site_ids]
    return StreamingResponse(chain(exposition(standings), exposition_of_agents(theirs)), media_type=CONTENT_TYPE)
