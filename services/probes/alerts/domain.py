"""The alert machine: ok → pending → firing → recovering → ok, and the windows in which nothing is raised.

A result moves it by its outcome:

- ``failed`` counts as a failure, ``ok`` as a success; enough of them in a row raise or resolve the alert.
- ``degraded`` shows that the target lives: it ends a streak of failures and never raises anything. It does not show
  that the target is well: it ends a streak of successes too, and never resolves anything.
- ``probe_error`` and ``skipped`` say nothing about the target and change nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Instant
from shared.events.alerts import Severity
from shared.events.probes import Outcome

Phase = Literal["ok", "pending", "firing", "recovering"]

FAULTS_OF_CONFIGURATION = frozenset({"rejected_ae_title"})


@dataclass(frozen=True)
class Policy:
    """How many failures in a row raise, how many successes resolve, and how long after a window nothing is raised."""

    failures: int
    successes: int
    grace: timedelta


@dataclass(frozen=True)
class Window:
    """A maintenance window; ``systems`` is its scope."""

    id: str
    systems: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    is_cancelled: bool = False

    @property
    def opens_at(self) -> datetime:
        """Its start, or when it was started before that."""
        return min(self.starts_at, self.started_at or self.starts_at)

    @property
    def closes_at(self) -> datetime:
        """Its end, or when it was ended before that."""
        return min(self.ends_at, self.ended_at or self.ends_at)

    def is_open(self, now: datetime) -> bool:
        """Whether work may be going on."""
        return not self.is_cancelled and self.opens_at <= now < self.closes_at

    def holds_back(self, now: datetime, grace: timedelta) -> bool:
        """Whether nothing is raised for its systems: it is open, or not yet closed for longer than ``grace``."""
        return not self.is_cancelled and self.opens_at <= now < self.closes_at + grace


@dataclass(frozen=True)
class AlertState:
    """Where a probe stands. ``since`` is the streak's first failure; ``is_held``: only a window kept it from firing."""

    phase: Phase = "ok"
    failures: int = 0
    successes: int = 0
    since: datetime | None = None
    is_held: bool = False

    def is_undecided(self, policy: Policy) -> bool:
        """Whether the next results decide: then they are wanted soon."""
        return self.phase == "recovering" or (self.phase == "pending" and self.failures < policy.failures)


@dataclass(frozen=True)
class Raise:
    """The alert is to be raised."""

    since: datetime
    persisted_past_window: bool


@dataclass(frozen=True)
class Resolve:
    """The alert is to be resolved."""


class Alert(BaseModel):
    """An alert, open until it has ``resolved_at``."""

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


def open_windows(windows: Sequence[Window], targets: Collection[str | None], now: datetime) -> list[Window]:
    """The windows that are open now for one of ``targets``."""
    return [window for window in windows if window.is_open(now) and not window.systems.isdisjoint(targets)]


def is_held_back(windows: Sequence[Window], targets: Collection[str | None], now: datetime, policy: Policy) -> bool:
    """Whether a window keeps alerts of one of ``targets`` from being raised now."""
    return any(w.holds_back(now, policy.grace) and not w.systems.isdisjoint(targets) for w in windows)


def judge(
    state: AlertState, outcome: Outcome, held_back: bool, now: datetime, policy: Policy
) -> tuple[AlertState, Raise | Resolve | None]:
    """The state after a result of ``now``, and what is to be told.

    What is held back stays pending, is probed on, and is raised by the first failure after that.
    """
    if outcome == "failed":
        return _fail(state, held_back, now, policy)
    if outcome == "ok":
        return _succeed(state, policy)
    if outcome == "degraded":
        return _degrade(state), None
    return state, None


def _fail(state: AlertState, held_back: bool, now: datetime, policy: Policy) -> tuple[AlertState, Raise | None]:
    if state.phase in ("firing", "recovering"):
        return replace(state, phase="firing", failures=state.failures + 1, successes=0), None
    since = state.since or now
    failed = AlertState("pending", failures=state.failures + 1, since=since, is_held=state.is_held)
    if failed.failures < policy.failures:
        return failed, None
    if held_back:
        return replace(failed, is_held=True), None
    return replace(failed, phase="firing", is_held=False), Raise(since, persisted_past_window=state.is_held)


def _succeed(state: AlertState, policy: Policy) -> tuple[AlertState, Resolve | None]:
    if state.phase in ("ok", "pending"):
        return AlertState(), None
    successes = state.successes + 1
    if successes >= policy.successes:
        return AlertState(), Resolve()
    return replace(state, phase="recovering", successes=successes), None


def _degrade(state: AlertState) -> AlertState:
    return AlertState() if state.phase in ("ok", "pending") else replace(state, phase="firing", successes=0)


def severity_of(failure: str | None) -> Severity:
    """How bad a failure is: a fault of configuration stops one connection, anything else may be an outage."""
    return "warning" if failure in FAULTS_OF_CONFIGURATION else "critical"
