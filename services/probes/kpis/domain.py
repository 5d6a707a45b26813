"""What results say together: availability, reliability, percentiles, and series over time."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Instant
from shared.events.probes import Outcome

Source = Literal["results", "5m", "1h"]
Verdict = Literal["filling", "not filling", "too little data", "full"]


@dataclass(frozen=True)
class Selection:
    """Whose probes, and which; what is None does not narrow. ``sites`` are the caller's."""

    sites: Collection[str] | None
    site_id: str | None = None
    system_id: str | None = None
    subject: str | None = None
    kind: str | None = None
    probe_id: str | None = None


class Shown(BaseModel):
    """Base of what is only shown."""

    model_config = ConfigDict(frozen=True)


class Known(Shown):
    """A probe whose results are known, of old perhaps."""

    probe_id: str = Field(examples=["dicom-echo:0197f2a4-6a3c-7d52-9c39-3f7e5a1b2c4d"])
    subject: str
    site_id: str = Field(examples=["north"])
    system_id: str | None
    kind: str = Field(examples=["dicom-echo"])
    name: str = Field(examples=["north-pacs"])


class Point(Shown):
    """What a step of time saw: how its runs ended, and the values of one phase (ms) or measure (its unit)."""

    at: Instant
    outcomes: dict[Outcome, int] = Field(examples=[{"ok": 5}])
    count: int = Field(description="how many values there were")
    mean: float | None
    least: float | None
    greatest: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class Series(Known):
    """One phase or measure of one probe over time, the oldest first. A step without any run has no point."""

    measure: str = Field(examples=["total"])
    points: list[Point]


class Covered(Shown):
    """The time that an answer covers: whole steps, and nothing that is not yet summed up."""

    from_: Instant = Field(serialization_alias="from")
    to: Instant
    source: Source = Field(description="what it was made from: single results, or sums of 5 minutes or of an hour")


class History(Covered):
    """Series of one step; with ``next``, there are more probes."""

    step_seconds: float = Field(description="0 where each result has a point of its own")
    items: list[Series]
    next: str | None


class Availability(Shown):
    """Where the seconds of a period went. The two shares are of the time that was observed outside windows."""

    seconds: float
    observed_seconds: float
    reachable_seconds: float
    usable_seconds: float
    planned_seconds: float
    planned_down_seconds: float
    unknown_seconds: float
    reachable: float | None = Field(examples=[0.9993])
    usable: float | None = Field(examples=[0.9991])


class AvailabilityOfProbe(Known, Availability):
    """How much of the period a probe found its target reachable and usable."""


class Reliability(Shown):
    """How often a target broke (was not usable any more) and was lost (not reachable) outside windows."""

    breakdowns: int
    losses: int
    mtbf_seconds: float | None = Field(description="mean time between failures; null where nothing broke")
    mttr_seconds: float | None = Field(description="mean time to recovery; null where nothing broke")


class ReliabilityOfProbe(Known, Reliability):
    """How a probe found its target to hold."""


class PercentilesOfProbe(Known):
    """The values of one phase or measure of one probe; each percentile is within 1 % of the true one."""

    measure: str = Field(examples=["total"])
    count: int
    mean: float
    least: float
    greatest: float
    p50: float
    p95: float
    p99: float


class AvailabilityOfSystem(Availability):
    """How much of the period a system, or an asset that belongs to none, was there by all of its probes together."""

    id: str
    site_id: str = Field(examples=["north"])
    probes: int = Field(description="how many looked at it")


class SystemAvailabilityReport(Covered):
    """By system."""

    items: list[AvailabilityOfSystem]
    next: str | None


class AvailabilityReport(Covered):
    """By probe."""

    items: list[AvailabilityOfProbe]
    next: str | None


class ReliabilityReport(Covered):
    """By probe."""

    items: list[ReliabilityOfProbe]
    next: str | None


class PercentileReport(Covered):
    """By probe and measure."""

    items: list[PercentilesOfProbe]
    next: str | None


class ForecastOfProbe(Known):
    """When what a probe measures reaches its limit. Days are counted from ``at``, the last that was measured."""

    measure: str = Field(examples=["used_ratio"])
    full: float = Field(examples=[1.0])
    verdict: Verdict
    at: Instant | None = Field(description="the last day with values")
    fill: float | None = Field(description="what the trend says of that day")
    per_day: float | None = Field(description="how much it rises a day, before any growth")
    per_day_low: float | None = Field(description="with 95 % confidence, at least so much")
    per_day_high: float | None = Field(description="and at most so much")
    days_to_full: float | None
    full_at: Instant | None
    earliest: Instant | None = Field(description="with 95 % confidence, not before")
    latest: Instant | None = Field(description="and not after; null: perhaps never")


class ForecastReport(Covered):
    """By probe."""

    items: list[ForecastOfProbe]
    next: str | None
