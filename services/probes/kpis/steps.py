"""How finely a period is shown: from single results for some hours to days for years, in a bounded number of points."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.probes.kpis.domain import Source
from shared.errors import Malformed

StepName = Literal["result", "5m", "15m", "1h", "6h", "1d"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_POINTS = 4000
USUAL_POINTS = 800
LONGEST_OF_RESULTS = timedelta(hours=6)
LONGEST_OF_FINE_SUMS = timedelta(days=2)
FINE, COARSE = timedelta(minutes=5), timedelta(hours=1)
DAY = timedelta(days=1)
NOON = timedelta(hours=12)
LENGTHS: dict[StepName, timedelta] = {
    "5m": FINE,
    "15m": timedelta(minutes=15),
    "1h": COARSE,
    "6h": timedelta(hours=6),
    "1d": timedelta(days=1),
}


@dataclass(frozen=True)
class Period:
    """From an instant up to another, which is not in it."""

    starts_at: datetime
    ends_at: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.ends_at - self.starts_at


@dataclass(frozen=True)
class Steps:
    """A period in whole steps of one length; zero where each result stands for itself."""

    period: Period
    length: timedelta
    source: Source


def read_period(starts_at: datetime | None, ends_at: datetime | None, now: datetime, usual: timedelta) -> Period:
    """The period that is asked for, by default the last ``usual``. Raises Malformed unless it has a length."""
    end = ends_at or now
    start = starts_at or end - usual
    if start >= end:
        raise Malformed("from", "must be before `to`", "2026-03-01T00:00:00Z with to=2026-04-01T00:00:00Z")
    return Period(start, end)


def steps_for(period: Period, asked: StepName | None, results_since: datetime, rolled: datetime) -> Steps:
    """The steps that were asked for, or those that suit the length. Raises Malformed for too many points.

    Results are there since ``results_since``, sums up to ``rolled``.
    """
    is_short = period.length <= LONGEST_OF_RESULTS and period.starts_at >= results_since
    if asked == "result" or (asked is None and is_short):
        return Steps(period, timedelta(0), "results")
    length = _usual_length(period) if asked is None else LENGTHS[asked]
    if period.length / length > MOST_POINTS:
        fitting = next(name for name, of in LENGTHS.items() if name == "1d" or period.length / of <= MOST_POINTS)
        raise Malformed("step", f"would make more than {MOST_POINTS:,} points", fitting)
    return summed(period, rolled, length)


def summed(period: Period, rolled: datetime, step: timedelta | None = None) -> Steps:
    """The period in whole steps of what was rolled, from 5-minute sums where it, or a step of it, is short.

    An hour is rolled when it is over, so the period ends at the last step that was.
    """
    source: Source = "5m" if (period.length <= LONGEST_OF_FINE_SUMS if step is None else step < COARSE) else "1h"
    rows = FINE if source == "5m" else COARSE
    length = step or rows
    end = min(_ceiling(period.ends_at, length), _floor(rolled, rows))
    start = min(_floor(period.starts_at, length), end)
    return Steps(Period(start, end), length, source)


def only_fine(period: Period, rolled: datetime) -> Steps:
    """The period in steps of 5 minutes, where it has too many results to show each."""
    return summed(period, rolled, FINE)


def _usual_length(period: Period) -> timedelta:
    return next((of for of in LENGTHS.values() if period.length / of <= USUAL_POINTS), LENGTHS["1d"])


def _floor(instant: datetime, step: timedelta) -> datetime:
    return instant - (instant - EPOCH) % step


def _ceiling(instant: datetime, step: timedelta) -> datetime:
    return _floor(instant + step - timedelta(microseconds=1), step)
