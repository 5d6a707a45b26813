"""Events of probes: how the fleet is doing."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from shared.events.alerts import Severity
from shared.events.contract import EventData, Instant

Outcome = Literal["ok", "degraded", "failed", "probe_error", "skipped"]
Interface = Literal["archive", "modality", "workstation", "ris_ehr"]
Function = Literal["connectivity", "conformance", "import", "export", "query_retrieve", "reporting", "performance"]
Verdict = Literal["passed", "failed", "error", "not_run"]
SuiteOutcome = Literal["passed", "failed", "error"]


class ProbeResult(EventData, event_type="probe.result", partitions=6):
    """One run of one probe; (probe_id, due_at) is its key. Phases and lag are milliseconds.

    ``rejection`` is the A-ASSOCIATE-RJ (result, source, reason) of PS3.8 §9.3.4; ``status`` the DIMSE status as the
    standard prints it, for example ``0x0000``. ``measures`` are the numbers that its kind declares, in their units;
    ``facts`` what it saw in words.
    """

    probe_id: str
    kind: str
    due_at: Instant
    started_at: Instant
    outcome: Outcome
    failure: str | None
    detail: str
    phases: dict[str, float]
    lag_ms: float
    vantage: str
    window_id: str | None = None
    rejection: tuple[int, int, int] | None = None
    status: str | None = None
    measures: dict[str, float] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)


class SuiteItemResult(BaseModel):
    """What came of one item of a suite, on one subject.

    ``not_run`` is an item with nothing to run on, or whose turn never came; ``error`` one whose probe was at fault.
    ``evidence`` is the SHA-256 of what was seen, which the run's address serves.
    """

    name: str
    function: Function
    interface: Interface
    kind: str
    subject: str | None
    verdict: Verdict
    failure: str | None
    detail: str
    evidence: str | None


class SuiteCompleted(EventData, event_type="suite.completed"):
    """A suite has ended; the subject is the system that it was run on.

    ``passed`` when every item did that was run, every required one was run, and one at least. ``interfaces`` and
    ``functions`` sum up the items of each. ``items`` may lack some where they are many, ``items_omitted`` of them,
    passed ones first; ``report`` is the SHA-256 of the whole report.
    """

    run_id: str
    suite_id: str
    suite_name: str
    about: str | None
    outcome: SuiteOutcome
    detail: str
    started_at: Instant
    finished_at: Instant
    counts: dict[Verdict, int]
    interfaces: dict[Interface, Verdict]
    functions: dict[Function, Verdict]
    items: list[SuiteItemResult]
    items_omitted: int
    report: str


class CheckChanged(EventData, event_type="check.changed"):
    """A check was made, changed or, with ``deleted``, taken away: its full state. The subject is its asset.

    ``limits`` are by measure or phase, as they were set. ``reachability`` is whether its failure means that the asset
    can't be reached; None leaves that to the kind.
    """

    check_id: str
    kind: str
    name: str
    settings: dict[str, Any]
    interval_seconds: float
    retry_interval_seconds: float
    timeout_seconds: float
    vantage: str | None
    depends_on: list[str]
    limits: dict[str, dict[str, Any]]
    severity: Severity | None
    enabled: bool
    deleted: bool
    version: int
    reachability: bool | None = None


class BaselineForgotten(EventData, event_type="baseline.forgotten"):
    """What was learned to be usual for a measure of a check is forgotten, and learned anew. The subject is its asset.

    ``values`` were known, with this median, the last since ``learned_at``; ``reason`` is why the actor forgot them.
    """

    probe_id: str
    check: str
    asset_name: str
    measure: str
    values: int
    median: float
    learned_at: Instant
    reason: str
    system_id: str | None = None


class ReportFiled(EventData, event_type="report.filed"):
    """Somebody has noticed something, of a system or of a whole site, which is then the subject; the actor did.

    ``evidence`` is the SHA-256 of what the probes saw at that moment, which the report's address serves. The details
    and whom to call back stay with the report.
    """

    report_id: str
    system_id: str | None
    asset_name: str
    alert_id: str
    summary: str
    place: str | None
    happened_at: Instant
    evidence: str


class ReportClosed(EventData, event_type="report.closed"):
    """Somebody has said what came of a report."""

    report_id: str
    system_id: str | None
    alert_id: str
    summary: str
    outcome: str
    filed_at: Instant
    closed_at: Instant
