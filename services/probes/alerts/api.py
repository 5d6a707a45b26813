"""Alerts over HTTP: which are open, how each came about, who has taken it over."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field

from services.probes.alerts import handlers, store
from services.probes.alerts.records import Alert, Standing, Transition
from shared.events.alerts import AlertPhase
from shared.http import Body, Call, Page, Paging, requires
from shared.resource import Id, Line, Moment

router = APIRouter(prefix="/v1", tags=["alerts"])

Subject = Annotated[
    str | None, Query(description="an asset's id, or a vantage", max_length=255, pattern=r"^[\x21-\x7e]+$")
]
AlertId = Annotated[Id, Path()]


class Acknowledgement(Body):
    """That somebody has taken the alert over; it ends when the alert is resolved, or earlier by ``until``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"comment": "The vendor is on the way.", "until": "2027-03-01T22:00:00Z"}],
        }
    )

    comment: Line
    until: Moment | None = Field(None, description="when it ends even if the alert is still open")


@router.get("/alerts")
async def list_alerts(
    call: Annotated[Call, requires("viewer")], paging: Paging, subject: Subject = None, open: bool | None = None
) -> Page[Alert]:
    """The alerts of your sites, the latest first; ``open`` shows only those that are, or only those that are over."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_alerts(conn, sites, subject, open, paging.after, paging.limit + 1)
    return paging.page(found, lambda alert: alert.id)


@router.get("/alerts/{alert_id}")
async def get_alert(alert_id: AlertId, call: Annotated[Call, requires("viewer")]) -> Alert:
    """The alert; 404 also where it is not yours to see."""
    return await call.find("viewer", "alert", store.select_alert, alert_id)


@router.post("/alerts/{alert_id}/acknowledgement")
async def acknowledge_alert(
    alert_id: AlertId, body: Acknowledgement, call: Annotated[Call, requires("operator")]
) -> Alert:
    """Takes the alert over in your name; 409 when it is resolved. Doing it again takes the place of what was there."""
    await call.find("operator", "alert", store.select_alert, alert_id)
    return await call.run(handlers.acknowledge_alert, alert_id, body.comment, body.until)


@router.get("/alerts/{alert_id}/transitions")
async def list_transitions_of_alert(
    alert_id: AlertId, call: Annotated[Call, requires("viewer")], paging: Paging
) -> Page[Transition]:
    """The steps of one alert from raising to resolving, the latest first."""
    await call.find("viewer", "alert", store.select_alert, alert_id)
    async with call.read() as conn:
        found = await store.select_transitions(conn, None, None, alert_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda transition: transition.id)


@router.get("/transitions")
async def list_transitions(
    call: Annotated[Call, requires("viewer")], paging: Paging, subject: Subject = None
) -> Page[Transition]:
    """The steps of all checks of your sites, or of one subject, the latest first."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_transitions(conn, sites, subject, None, paging.after, paging.limit + 1)
    return paging.page(found, lambda transition: transition.id)


@router.get("/standings")
async def list_standings(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    subject: Subject = None,
    phase: AlertPhase | None = None,
) -> Page[Standing]:
    """Where the checks of your sites stand that don't stand at "ok"."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_standings(conn, sites, subject, phase, paging.after, paging.limit + 1)
    return paging.page(found, lambda standing: standing.id)
