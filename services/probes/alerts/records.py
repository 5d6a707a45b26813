"""Alerts and their transitions as they are kept and shown."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Instant
from shared.events.alerts import AlertPhase, Severity
from shared.events.alerts import Transition as What


@dataclass(frozen=True, slots=True)
class About:
    """Which check it is that something is told of, and what it checks."""

    probe_id: str
    measure: str
    check: str
    subject: str
    asset_name: str
    site_id: str
    system_id: str | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A check, and what decides whether its alert is kept back. ``vantage`` is the agent that makes its probe."""

    about: About
    vantage: str | None
    depends_on: tuple[str, ...]
    suppressed_by: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The check's."""
        return (self.about.probe_id, self.about.measure)


class Alert(BaseModel):
    """An alert, open until it has ``resolved_at``; ``acknowledged_by`` has taken it over while it is open."""

    model_config = ConfigDict(frozen=True)

    id: str
    check: str = Field(examples=["dicom-echo"])
    subject: str
    asset_name: str = Field(examples=["north-pacs"])
    site_id: str = Field(examples=["north"])
    system_id: str | None
    severity: Severity
    summary: str
    since: Instant
    raised_at: Instant
    persisted_past_window: bool
    resolved_at: Instant | None = None
    resolution: str | None = None
    probe_id: str = Field(examples=["dicom-echo:0197f2a4-6a3c-7d52-9c39-3f7e5a1b2c4d"])
    measure: str = Field("", examples=["bytes_per_second"], description="empty: the check itself failed")
    flapping: bool = False
    acknowledged_by: str | None = None
    acknowledged_at: Instant | None = None
    acknowledged_until: Instant | None = None
    acknowledgement: str | None = Field(None, description="what was said to it")

    @property
    def about(self) -> About:
        """The check that it is about."""
        return About(**{name: getattr(self, name) for name in About.__slots__})


class Transition(BaseModel):
    """One step of one check; ``at`` is when what led to it was seen. The id is that of its event."""

    model_config = ConfigDict(frozen=True)

    id: str
    probe_id: str
    measure: str
    subject: str
    site_id: str = Field(examples=["north"])
    check: str = Field(examples=["dicom-echo"])
    alert_id: str | None
    what: What
    before: AlertPhase
    after: AlertPhase
    severity: Severity | None
    summary: str
    at: Instant
    actor: str


class Standing(BaseModel):
    """Where a check stands that does not stand at "ok"."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="the probe, and behind a # the measure if it is about one")
    probe_id: str
    measure: str
    subject: str
    site_id: str = Field(examples=["north"])
    check: str = Field(examples=["dicom-echo"])
    phase: AlertPhase
    failures: int
    since: Instant | None
    alert_id: str | None
    severity: Severity | None
    held_by_window: bool
    suppressed_by: str | None
