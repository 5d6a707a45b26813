"""What each probe saw last, over HTTP in Prometheus' own format."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from services.probes.metrics import store
from services.probes.metrics.exposition import CONTENT_TYPE, exposition
from shared.events import SiteId
from shared.http import Call, requires

router = APIRouter(prefix="/metrics", tags=["metrics"])

SAMPLE = '# TYPE steward_probe_outcome gauge\nsteward_probe_outcome{probe="…",kind="dicom-echo",site="north"} 0.0\n'


@router.get(
    "",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {"example": SAMPLE}}, "description": "Prometheus' text format"}},
)
async def get_metrics(call: Annotated[Call, requires("viewer")], site_id: SiteId | None = None) -> StreamingResponse:
    """What each probe of your sites saw last, for Prometheus to scrape with an API key.

    `/probes/metrics`, without a key, is about the service itself and tells nothing of sites.
    """
    async with call.read() as conn:
        standings = await store.select_standings(conn, call.caller.sites("viewer"), site_id)
    return StreamingResponse(exposition(standings), media_type=CONTENT_TYPE)
