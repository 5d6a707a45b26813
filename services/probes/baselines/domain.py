"""What is usual for a measure at an hour of the week, learned from its own values, and the limits that follow from it.

Of each of the 168 hours of the week, in the site's time, a handful of values is kept, and of all hours together some
more. Their median and the median of their distances from it (MAD) are moved by no single outage, and values seen while
anything is wrong are not learned at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

from services.probes.alerts.limits import Limits, Worse

SLOTS = 168
ALL_HOURS = -1
"""The slot in which values of all hours are kept."""

KEPT, KEPT_OF_ALL = 24, 168
ENOUGH, ENOUGH_OF_ALL = 5, 12
APART = timedelta(minutes=10)
"""Values that come closer than this to the one learned before are not learned: one hour must not fill its slot."""

WARNING_FACTOR, CRITICAL_FACTOR = 2.0, 4.0
MADS = 3.0
NOTICEABLE: Mapping[str, float] = {"ms": 500, "s": 0.5, "seconds": 0.5}
"""By unit, the least difference that a person notices: ten milliseconds that become thirty are nobody's alert."""

MAD_TO_SIGMA = 1.4826
"""What makes a MAD comparable with a standard deviation."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The values kept of one slot, the newest last."""

    values: tuple[float, ...] = ()
    learned_at: datetime | None = None


Key = tuple[str, str]
"""A probe's id and a measure."""

Baseline = Mapping[int, Samples]
"""By slot, what is kept of a measure; a slot of which nothing is kept may be missing."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual: the median and how far values lie from it."""

    median: float
    mad: float


def slot_of(instant: datetime, time_zone: str | None) -> int:
    """The hour of the week, from Monday's first on, in that zone; UTC where none is known."""
    local = instant.astimezone(ZoneInfo(time_zone or "UTC"))
    return local.weekday() * 24 + local.hour


def slots_around(slot: int) -> tuple[int, ...]:
    """The slots that say what is usual at ``slot``: its own, the hours before and after it, and that of all hours."""
    return (slot, (slot - 1) % SLOTS, (slot + 1) % SLOTS, ALL_HOURS)


def usual_at(baseline: Baseline, slot: int) -> Usual | None:
    """What is usual in that hour; where too little is known, in those around it, then at any hour, then None."""
    own, *around, everything = (baseline.get(number, Samples()).values for number in slots_around(slot))
    nearby = (*own, *(value for values in around for value in values))
    for values, enough in ((own, ENOUGH), (nearby, ENOUGH), (everything, ENOUGH_OF_ALL)):
        if len(values) >= enough:
            return usual_of(values)
    return None


def limits_from(usual: Usual, worse: Worse, unit: str, clear_ratio: float) -> Limits:
    """Twice and four times as bad as usual, but never nearer than values usually lie, or than anybody notices."""
    spread = max(MADS * MAD_TO_SIGMA * usual.mad, NOTICEABLE.get(unit, 0))
    if worse == "higher":
        warning, critical = (max(usual.median * f, usual.median + spread) for f in (WARNING_FACTOR, CRITICAL_FACTOR))
    else:
        warning, critical = (min(usual.median / f, usual.median - spread) for f in (WARNING_FACTOR, CRITICAL_FACTOR))
    return Limits(warning=warning, critical=critical, clear_ratio=clear_ratio)


def learn(baseline: Baseline, slot: int, value: float, at: datetime) -> dict[int, Samples]:
    """The slots that a value changes, by number: its own and that of all hours, each at most once in ten minutes."""
    changed: dict[int, Samples] = {}
    for number, kept in ((slot, KEPT), (ALL_HOURS, KEPT_OF_ALL)):
        known = baseline.get(number, Samples())
        if known.learned_at is None or at - known.learned_at >= APART:
            changed[number] = Samples((*known.values, value)[-kept:], at)
    return changed


def usual_of(values: Sequence[float]) -> Usual:
    """Median and MAD of some values."""
    middle = median(values)
    return Usual(middle, median(abs(value - middle) for value in values))
