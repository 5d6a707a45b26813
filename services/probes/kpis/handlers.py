"""Answers about a period: probes are chosen, their sums are read and put into words."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.probes.kpis import store
from services.probes.kpis.availability import Account, availability_of, reliability_of
from services.probes.kpis.domain import (
    AvailabilityOfProbe,
    AvailabilityOfSystem,
    ForecastOfProbe,
    PercentilesOfProbe,
    Point,
    ReliabilityOfProbe,
    Selection,
    Series,
)
from services.probes.kpis.forecast import DailyFill, Scenario, forecast, trend_of
from services.probes.kpis.sketch import Values
from services.probes.kpis.steps import MOST_POINTS, Period, StepName, Steps, only_fine, steps_for, summed
from services.probes.kpis.store import Chosen, Single, Summed
from shared.database import Connection
from shared.errors import Malformed
from shared.events.probes import Outcome


@dataclass(frozen=True)
class Asked:
    """Which probes, in which time, and which of them: ``limit`` behind ``after``."""

    selection: Selection
    period: Period
    after: str | None
    limit: int


@dataclass(frozen=True)
class Found:
    """The probes, one more than asked for where there are more, and the steps that an answer covers."""

    chosen: list[Chosen]
    steps: Steps

    @property
    def numbers(self) -> list[int]:
        """The probes' numbers in the sums."""
        return [one.number for one in self.chosen]


def page_end(found: Found, limit: int) -> str | None:
    """The cursor behind which the next probes are; None where there are no more."""
    return found.chosen[limit - 1].probe.probe_id if len(found.chosen) > limit else None


async def find_summed(conn: Connection, asked: Asked, measure: str | None = None) -> Found:
    """The probes with sums in the period; with ``measure``, only those that ever had such values."""
    marks = await store.select_marks(conn)
    return await _choose(conn, asked, summed(asked.period, marks.rolled), measure)


async def find_accounts(conn: Connection, found: Found) -> list[tuple[Chosen, Account]]:
    """What the probes' results account for."""
    accounts = await store.select_accounts(conn, found.numbers, found.steps)
    return [(one, accounts[one.number]) for one in found.chosen]


async def find_availability(conn: Connection, found: Found) -> list[AvailabilityOfProbe]:
    """How much of the period each probe found its target there."""
    seconds = found.steps.period.length.total_seconds()
    return [
        AvailabilityOfProbe(**one.probe.model_dump(), **availability_of(account, seconds).model_dump())
        for one, account in await find_accounts(conn, found)
    ]


async def find_availability_of_systems(conn: Connection, asked: Asked) -> tuple[Steps, list[AvailabilityOfSystem]]:
    """How much of the period each system was there, one more than asked for where there are more."""
    steps = summed(asked.period, (await store.select_marks(conn)).rolled)
    page = store.ProbePage(steps, None, asked.after, asked.limit + 1)
    seconds = steps.period.length.total_seconds()
    return steps, [
        AvailabilityOfSystem(
            id=one.id, site_id=one.site_id, probes=one.probes, **availability_of(one.account, seconds).model_dump()
        )
        for one in await store.select_system_accounts(conn, asked.selection, page)
    ]


async def find_reliability(conn: Connection, found: Found) -> list[ReliabilityOfProbe]:
    """How well each probe found its target to hold."""
    return [
        ReliabilityOfProbe(**one.probe.model_dump(), **reliability_of(account).model_dump())
        for one, account in await find_accounts(conn, found)
    ]


async def find_percentiles(conn: Connection, found: Found, measure: str | None) -> list[PercentilesOfProbe]:
    """The percentiles of the probes' phases and measures, or of one of them."""
    values = await store.select_values(conn, found.numbers, found.steps, measure)
    probes = {one.number: one.probe for one in found.chosen}
    items = [
        PercentilesOfProbe.model_validate(probes[number].model_dump() | {"measure": name} | told(of))
        for (number, name), of in values.items()
    ]
    return sorted(items, key=lambda item: (item.probe_id, item.measure))


async def find_history(
    conn: Connection, asked: Asked, measure: str, step: StepName | None
) -> tuple[Found, list[Series]]:
    """The probes' series of a phase or measure. Raises Malformed for too many points."""
    marks = await store.select_marks(conn)
    found = await _choose(conn, asked, steps_for(asked.period, step, marks.results_since, marks.rolled))
    if found.steps.source != "results":
        return found, await _summed_series(conn, found, measure)
    series = await _single_series(conn, found, measure, asked.limit)
    if series is not None:
        return found, series
    if step == "result":
        raise Malformed("step", f"would make more than {MOST_POINTS:,} points for a probe", "5m")
    found = await _choose(conn, asked, only_fine(asked.period, marks.rolled))
    return found, await _summed_series(conn, found, measure)


async def _choose(conn: Connection, asked: Asked, steps: Steps, measure: str | None = None) -> Found:
    page = store.ProbePage(steps, measure, asked.after, asked.limit + 1)
    return Found(await store.select_probes(conn, asked.selection, page), steps)


async def _summed_series(conn: Connection, found: Found, measure: str) -> list[Series]:
    steps = await store.select_steps(conn, found.numbers, found.steps, measure)
    # Of many points the percentiles take a while: other requests and probes must not wait for them.
    return await asyncio.to_thread(_series_of_steps, found, steps, measure)


def _series_of_steps(found: Found, steps: Sequence[Summed], measure: str) -> list[Series]:
    points: dict[int, list[Point]] = {}
    for one in steps:
        points.setdefault(one.number, []).append(_point(one.at, one.outcomes, one.values))
    return [_series(one, measure, points.get(one.number, [])) for one in found.chosen]


async def _single_series(conn: Connection, found: Found, measure: str, limit: int) -> list[Series] | None:
    """None where there are too many results."""
    most = MOST_POINTS * limit
    ids = [one.probe.probe_id for one in found.chosen]
    rows = await store.select_single(conn, ids, found.steps.period, measure, most + 1)
    if len(rows) > most:
        return None
    return await asyncio.to_thread(_series_of_results, found, rows, measure)


def _series_of_results(found: Found, rows: Sequence[Single], measure: str) -> list[Series]:
    points: dict[str, list[Point]] = {}
    for one in rows:
        values = Values(0, 0.0, None, None, {}) if one.value is None else Values.of(one.value)
        points.setdefault(one.probe_id, []).append(_point(one.at, {one.outcome: 1}, values))
    return [_series(one, measure, points.get(one.probe.probe_id, [])) for one in found.chosen]


def _series(one: Chosen, measure: str, points: Sequence[Point]) -> Series:
    return Series(**one.probe.model_dump(), measure=measure, points=list(points))


def _point(at: datetime, outcomes: dict[Outcome, int], values: Values) -> Point:
    return Point.model_validate({"at": at, "outcomes": outcomes} | told(values))


def told(values: Values) -> dict[str, float | None]:
    """Values as answers tell them."""
    percentiles = {f"p{share}": values.quantile(share / 100) for share in (50, 95, 99)}
    of_all = {"count": values.count, "mean": values.mean, "least": values.least, "greatest": values.greatest}
    return of_all | percentiles


@dataclass(frozen=True)
class Filling:
    """What is to be foretold: when a measure reaches ``full``, and what if."""

    measure: str
    full: float
    scenario: Scenario


async def find_forecasts(conn: Connection, found: Found, filling: Filling) -> list[ForecastOfProbe]:
    """When what the probes measure is full."""
    fills = await store.select_daily_means(conn, found.numbers, found.steps.period, filling.measure)
    # Of many days there are many pairs: other requests and probes must not wait for them.
    return await asyncio.to_thread(
        lambda: [_foretell(one, fills[one.number], filling) for one in found.chosen if one.number in fills]
    )


def _foretell(one: Chosen, fills: Sequence[DailyFill], filling: Filling) -> ForecastOfProbe:
    trend, told_of = trend_of(fills), forecast(fills, filling.full, filling.scenario)
    at = fills[-1].at
    return ForecastOfProbe(
        **one.probe.model_dump(),
        measure=filling.measure,
        full=filling.full,
        verdict=told_of.verdict,
        at=at,
        fill=trend.level if trend else None,
        per_day=trend.slope if trend else None,
        per_day_low=trend.low if trend else None,
        per_day_high=trend.high if trend else None,
        days_to_full=(told_of.full_at - at) / timedelta(days=1) if told_of.full_at else None,
        full_at=told_of.full_at,
        earliest=told_of.earliest,
        latest=told_of.latest,
    )
