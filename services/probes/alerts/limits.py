"""Limits: from which value on a measure or a phase of a check is a warning or critical, and when that is over."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

Worse = Literal["higher", "lower"]
Level = Literal["clear", "warning", "critical"]

USUAL_CLEAR_RATIO = 0.94
"""What fires at 90 clears below 84.6."""


class Limits(BaseModel):
    """The limits of one measure or phase, in its unit; phases are milliseconds.

    A value at a limit or beyond it is bad. With ``baseline`` the value is also judged against what is usual for the
    hour of the week: twice as bad is a warning, four times as bad is critical. Limits that set nothing judge nothing:
    so a check turns off what its kind would judge by itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    warning: FiniteFloat | None = Field(None, description="from here on it is a warning", examples=[80])
    critical: FiniteFloat | None = Field(None, description="from here on it is critical", examples=[90])
    baseline: bool = Field(False, description="judge by what is usual for the hour of the week, too")
    clear_ratio: Annotated[float, Field(gt=0, le=1)] = Field(
        USUAL_CLEAR_RATIO,
        description="the share of a limit at which it is over: 0.94 clears 90 below 84.6, 30 days above 31.8",
        examples=[USUAL_CLEAR_RATIO],
    )

    @property
    def are_set(self) -> bool:
        """Whether there is anything to judge by."""
        return self.baseline or self.warning is not None or self.critical is not None

    def are_ordered(self, worse: Worse) -> bool:
        """Whether critical is at least as bad as warning."""
        if self.warning is None or self.critical is None:
            return True
        return self.critical >= self.warning if worse == "higher" else self.critical <= self.warning


def is_reached(limit: float | None, value: float, worse: Worse) -> bool:
    """Whether the value is at the limit or beyond it; a limit that is not set is never reached."""
    if limit is None:
        return False
    return value >= limit if worse == "higher" else value <= limit


def clear_level(limit: float | None, worse: Worse, clear_ratio: float) -> float | None:
    """The value that must be left behind for what the limit raised to be over."""
    if limit is None:
        return None
    distance = abs(limit) * (1 - clear_ratio)
    return limit - distance if worse == "higher" else limit + distance


def level_of(value: float, limits: Limits, worse: Worse, before: Level = "clear") -> Level:
    """How bad a value is by the fixed limits, where it stood at ``before``: what was reached holds until cleared."""
    for level, limit in (("critical", limits.critical), ("warning", limits.warning)):
        holds = before == "critical" or before == level
        bound = clear_level(limit, worse, limits.clear_ratio) if holds else limit
        if is_reached(bound, value, worse):
            return "critical" if level == "critical" else "warning"
    return "clear"
