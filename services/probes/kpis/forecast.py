"""When a store is full: the trend of its daily fill, how sure that is, and what if studies grow or come at once.

The trend is the Theil–Sen slope, the median of the slopes between all pairs of days, which a third of odd days does not
move; its interval is Sen's (1968), from Kendall's rank statistic, as for days that are independent of each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import NormalDist, median

from services.probes.kpis.domain import Verdict
from shared.errors import Malformed

DAY = timedelta(days=1)
FEWEST_DAYS = 14
LONGEST_DAYS = 36_525.0
CONFIDENCE = 0.95
EARLIEST_YEAR = 2000


@dataclass(frozen=True)
class DailyFill:
    """How full a store was on a day, in the unit of its measure."""

    at: datetime
    fill: float


@dataclass(frozen=True)
class Trend:
    """Units a day, and between what it lies with the confidence; ``level`` is the trend's value on the last day."""

    slope: float
    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Addition:
    """What is put in at once, in the unit of the measure."""

    at: datetime
    amount: float


@dataclass(frozen=True)
class Scenario:
    """What if: growth in the volume of studies, as a factor of today's, and what comes beside it."""

    growth: float = 1.0
    additions: tuple[Addition, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """When it is full, and between when that lies. Without ``latest``: perhaps never."""

    verdict: Verdict
    full_at: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None


def read_addition(text: str) -> Addition:
    """Reads ``amount@date``; a date is the start of its day in UTC. Raises Malformed."""
    amount, _, at = text.partition("@")
    try:
        when = datetime.fromisoformat(at)
        addition = Addition(when if when.tzinfo else when.replace(tzinfo=UTC), float(amount))
    except ValueError:
        raise Malformed("addition", "must be an amount, @ and a date", "0.05@2026-09-01") from None
    if not (math.isfinite(addition.amount) and addition.at.year > EARLIEST_YEAR):
        raise Malformed("addition", "must be a finite amount at a date of this century", "0.05@2026-09-01")
    return addition


def trend_of(fills: Sequence[DailyFill]) -> Trend | None:
    """The trend of days in their order; None for fewer than 14 of them."""
    if len(fills) < FEWEST_DAYS:
        return None
    days = [(one.at - fills[0].at) / DAY for one in fills]
    slopes = sorted(
        (fills[j].fill - fills[i].fill) / (days[j] - days[i]) for i, j in combinations(range(len(fills)), 2)
    )
    slope = median(slopes)
    low, high = _interval(slopes, len(fills))
    level = median(one.fill - slope * (day - days[-1]) for one, day in zip(fills, days, strict=True))
    return Trend(slope, low, high, level)


def _interval(slopes: Sequence[float], days: int) -> tuple[float, float]:
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(days * (days - 1) * (2 * days + 5) / 18)
    first = max(0, math.floor((len(slopes) - spread) / 2))
    last = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    return slopes[first], slopes[last]


def forecast(fills: Sequence[DailyFill], full: float, scenario: Scenario = Scenario()) -> Forecast:
    """When the store reaches ``full``, counted from its last day.

    It says "not filling" where the trend does not rise and nothing is added that fills it, or only after a century.
    """
    trend = trend_of(fills)
    if trend is None:
        return Forecast("too little data")
    now = fills[-1].at
    if trend.level >= full:
        return Forecast("full", now, now, now)
    ahead = sorted((a for a in scenario.additions if a.at >= now), key=lambda a: a.at)
    days = [_days_until(full, trend.level, slope * scenario.growth, now, ahead) for slope in _of(trend)]
    full_in, earliest, latest = days
    if full_in is None:
        return Forecast("not filling", earliest=_at(now, earliest))
    return Forecast("filling", _at(now, full_in), _at(now, earliest), _at(now, latest))


def _of(trend: Trend) -> tuple[float, float, float]:
    return trend.slope, trend.high, trend.low


def _days_until(full: float, level: float, slope: float, now: datetime, additions: Sequence[Addition]) -> float | None:
    added = 0.0
    for addition in additions:
        until = (addition.at - now) / DAY
        reached = _crossing(full - level - added, slope)
        if reached is not None and reached <= until:
            return reached
        added += addition.amount
        if level + added + slope * until >= full:
            return until
    return _crossing(full - level - added, slope)


def _crossing(missing: float, slope: float) -> float | None:
    if slope <= 0:
        return None
    days = max(0.0, missing / slope)
    return days if days <= LONGEST_DAYS else None


def _at(now: datetime, days: float | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)
