"""KPIs over HTTP: history, availability, reliability, percentiles and forecasts of the probes of your sites."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from services.probes.kpis import handlers
from services.probes.kpis.domain import (
    AvailabilityReport,
    ForecastReport,
    History,
    PercentileReport,
    ReliabilityReport,
    Selection,
    SystemAvailabilityReport,
)
from services.probes.kpis.forecast import Scenario, read_addition
from services.probes.kpis.handlers import Asked, Filling, Found, page_end
from services.probes.kpis.steps import Period, StepName, read_period
from shared.errors import Malformed
from shared.events import SiteId
from shared.http import Call, requires
from shared.resource import Id, Moment

router = APIRouter(prefix="/v1", tags=["kpis"])

LAST_DAY = timedelta(days=1)
LAST_MONTH = timedelta(days=30)
LONGEST = timedelta(days=3660)

ProbeId = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]
MeasureName = Annotated[
    str, Query(min_length=1, max_length=100, pattern=r"^[\x20-\x7e]+$", examples=["total", "tcp", "used_ratio"])
]
Cursor = Annotated[str | None, Query(max_length=200, pattern=r"^[\x21-\x7e]+$")]


class Which:
    """Which probes; every part that is given narrows the choice."""

    def __init__(
        self,
        subject: Id | None = None,
        system_id: Id | None = None,
        site_id: SiteId | None = None,
        kind: Annotated[str | None, Query(max_length=100, pattern=r"^[a-z0-9-]+$")] = None,
        probe_id: ProbeId | None = None,
        cursor: Cursor = None,
    ) -> None:
        self.selection = Selection(None, site_id, system_id, subject, kind, probe_id)
        self.cursor = cursor

    def asked(self, call: Call, period: Period, limit: int) -> Asked:
        """The choice among what the caller may see."""
        chosen = self.selection
        selection = Selection(
            call.caller.sites("viewer"), chosen.site_id, chosen.system_id, chosen.subject, chosen.kind, chosen.probe_id
        )
        return Asked(selection, period, self.cursor, limit)


class When:
    """From when to when; `to` is now, if it is not given."""

    def __init__(
        self,
        starts_at: Annotated[Moment | None, Query(alias="from", examples=["2026-03-01T00:00:00Z"])] = None,
        ends_at: Annotated[Moment | None, Query(alias="to", examples=["2026-04-01T00:00:00Z"])] = None,
    ) -> None:
        self.starts_at = starts_at
        self.ends_at = ends_at

    def period(self, usual: timedelta) -> Period:
        """The period, by default the last ``usual``. Raises Malformed for one that is empty or of over ten years."""
        period = read_period(self.starts_at, self.ends_at, datetime.now(UTC), usual)
        if period.length > LONGEST:
            raise Malformed("from", "must be within ten years of `to`", "2026-03-01T00:00:00Z")
        return period


Probes = Annotated[Which, Depends()]
Time = Annotated[When, Depends()]
Many = Annotated[int, Query(ge=1, le=200)]
Few = Annotated[int, Query(ge=1, le=20)]


def _covered(found: Found, limit: int) -> dict[str, Any]:
    period = found.steps.period
    next_page = page_end(found, limit)
    return {"from_": period.starts_at, "to": period.ends_at, "source": found.steps.source, "next": next_page}


@router.get("/history", response_model=History)
async def get_history(
    call: Annotated[Call, requires("viewer")],
    probes: Probes,
    time: Time,
    measure: MeasureName = "total",
    step: StepName | None = None,
    limit: Annotated[int, Query(ge=1, le=10)] = 5,
) -> Response:
    """A phase or measure over time, by default the time of all phases together in the last day.

    Short periods are shown result by result, longer ones in steps that suit their length; `step` sets another. The
    points of the last minutes come when their step is over.
    """
    asked = probes.asked(call, time.period(LAST_DAY), limit)
    async with call.read() as conn:
        found, series = await handlers.find_history(conn, asked, measure, step)
    seconds = found.steps.length.total_seconds()
    history = History(**_covered(found, limit), step_seconds=seconds, items=series[:limit])
    text = await asyncio.to_thread(history.model_dump_json, by_alias=True)
    return Response(text, media_type="application/json")


@router.get("/availability")
async def get_availability(
    call: Annotated[Call, requires("viewer")], probes: Probes, time: Time, limit: Many = 100
) -> AvailabilityReport:
    """How much of the period (by default, the last 30 days) targets were reachable and usable.

    *Reachable*: it took a connection, or answered, whatever came of it. *Usable*: the probe's outcome was ok; for
    whether users can work, ask for a kind that works as they do, such as `kind=dicom-roundtrip` or `kind=web-login`.
    Maintenance windows are planned and stand apart, and what no probe saw is unknown, not down.
    """
    asked = probes.asked(call, time.period(LAST_MONTH), limit)
    async with call.read() as conn:
        found = await handlers.find_summed(conn, asked)
        items = await handlers.find_availability(conn, found)
    return AvailabilityReport(**_covered(found, limit), items=items[:limit])


@router.get("/availability/systems")
async def get_availability_of_systems(
    call: Annotated[Call, requires("viewer")], probes: Probes, time: Time, limit: Many = 100
) -> SystemAvailabilityReport:
    """The same by system, by all of its probes, or those that are chosen, together.

    In each 5 minutes (each hour, for more than two days) the worst of them counts, so what several saw counts once.
    """
    asked = probes.asked(call, time.period(LAST_MONTH), limit)
    async with call.read() as conn:
        steps, items = await handlers.find_availability_of_systems(conn, asked)
    more = items[limit - 1].id if len(items) > limit else None
    covered = {"from_": steps.period.starts_at, "to": steps.period.ends_at, "source": steps.source}
    return SystemAvailabilityReport.model_validate(covered | {"items": items[:limit], "next": more})


@router.get("/reliability")
async def get_reliability(
    call: Annotated[Call, requires("viewer")], probes: Probes, time: Time, limit: Many = 100
) -> ReliabilityReport:
    """How often targets broke in the period, by default the last 30 days: mean times between failures, to recovery."""
    asked = probes.asked(call, time.period(LAST_MONTH), limit)
    async with call.read() as conn:
        found = await handlers.find_summed(conn, asked)
        items = await handlers.find_reliability(conn, found)
    return ReliabilityReport(**_covered(found, limit), items=items[:limit])


@router.get("/percentiles")
async def get_percentiles(
    call: Annotated[Call, requires("viewer")],
    probes: Probes,
    time: Time,
    measure: MeasureName | None = None,
    limit: Many = 100,
) -> PercentileReport:
    """Percentiles of phases (ms) and measures in the period, by default the last day; `total`: all phases together."""
    asked = probes.asked(call, time.period(LAST_DAY), limit)
    async with call.read() as conn:
        found = await handlers.find_summed(conn, asked, measure)
        items = await handlers.find_percentiles(conn, found, measure)
    shown = {one.probe.probe_id for one in found.chosen[:limit]}
    return PercentileReport(**_covered(found, limit), items=[item for item in items if item.probe_id in shown])


@router.get("/forecast")
async def get_forecast(
    call: Annotated[Call, requires("viewer")],
    probes: Probes,
    measure: MeasureName = "used_ratio",
    full: Annotated[float, Query(gt=0, allow_inf_nan=False, examples=[1.0])] = 1.0,
    days: Annotated[int, Query(ge=14, le=180)] = 90,
    growth: Annotated[float, Query(ge=0, le=100, allow_inf_nan=False, examples=[1.2])] = 1.0,
    addition: Annotated[list[str] | None, Query(max_length=20, examples=["0.05@2026-09-01"])] = None,
    limit: Few = 20,
) -> ForecastReport:
    """When stores are full, by the trend of their last days, with its 95 % confidence; and what if.

    `growth` is the volume of new studies as a factor of today's. Each `addition` is something that comes at once, as
    `amount@date` in the unit of the measure: a migration, another scanner's archive.
    """
    now = datetime.now(UTC)
    filling = Filling(measure, full, Scenario(growth, tuple(map(read_addition, addition or ()))))
    asked = probes.asked(call, Period(now - timedelta(days=days), now), limit)
    async with call.read() as conn:
        found = await handlers.find_summed(conn, asked, measure)
        items = await handlers.find_forecasts(conn, found, filling)
    return ForecastReport(**_covered(found, limit), items=items[:limit])
