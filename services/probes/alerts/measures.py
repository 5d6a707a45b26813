"""Which of a result's numbers are judged, by which limits, and what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.probes.alerts.domain import AlertState, Seen
from services.probes.alerts.limits import Level, Limits, Worse, level_of
from services.probes.kinds.domain import Measure
from shared.events.alerts import Severity

Measures = Mapping[str, Measure]

TELLING = frozenset({"ok", "degraded"})
"""The outcomes whose numbers are judged: what failed has said so already."""

_ORDER: tuple[Level, ...] = ("clear", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that is to be judged. Phases are in milliseconds, and higher is worse."""

    measure: str
    value: float
    limits: Limits
    worse: Worse
    unit: str


def readings_of(
    values: Mapping[str, float], phases: Mapping[str, float], set_limits: Mapping[str, Limits], declared: Measures
) -> Iterator[Reading]:
    """The numbers of a result that have limits: those that the check sets, else those that its kind declares."""
    for name, limits in set_limits.items():
        measure = declared.get(name)
        value = values.get(name) if measure else phases.get(name, values.get(name))
        if value is not None and limits.are_set:
            yield Reading(
                name, value, limits, measure.worse if measure else "higher", measure.unit if measure else "ms"
            )
    for name, measure in declared.items():
        limits = _declared_limits(measure)
        if name in values and name not in set_limits and limits.are_set:
            yield Reading(name, values[name], limits, measure.worse, measure.unit)


def judged_measures(set_limits: Mapping[str, Limits], declared: Measures) -> set[str]:
    """The names of all numbers that have limits."""
    own = {name for name, limits in set_limits.items() if limits.are_set}
    return own | {name for name, it in declared.items() if name not in set_limits and _declared_limits(it).are_set}


def level_by(reading: Reading, learned: Limits | None, state: AlertState) -> Level:
    """The worse of what the fixed limits say and what was learned; while an alert is open, what fired must clear."""
    before: Level = state.severity if state.is_open and state.severity else "clear"
    levels = [level_of(reading.value, limits, reading.worse, before) for limits in (reading.limits, learned) if limits]
    return max(levels, key=_ORDER.index)


def seen_of(level: Level, at: datetime, alert_id: str, is_held_back: bool) -> Seen:
    """What a level says to the alert machine. What could be measured can be reached: nothing one hop up hides it."""
    if level == "clear":
        return Seen("good", at, alert_id, is_held_back=is_held_back)
    severity: Severity = level
    return Seen("bad", at, alert_id, severity, failure="limit", is_held_back=is_held_back)


def summary_of(reading: Reading, learned: Limits | None) -> str:
    """The reading in words, beside the limits that it is judged by."""
    told = f"{reading.measure} is {_number(reading.value)} {reading.unit}"
    limits = [f"{name} {_number(limit)}" for name, limit in _bounds(reading.limits) if limit is not None]
    usual = [f"{name} {_number(limit)} by what is usual" for name, limit in _bounds(learned) if limit is not None]
    return f"{told} (limits: {', '.join(limits + usual)})."


@lru_cache(maxsize=1000)
def _declared_limits(measure: Measure) -> Limits:
    return Limits(warning=measure.warning, critical=measure.critical, baseline=measure.baseline)


def _bounds(limits: Limits | None) -> tuple[tuple[str, float | None], ...]:
    return (("warning", limits.warning), ("critical", limits.critical)) if limits else ()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
