"""Events of probes: how the fleet is doing."""

from typing import Literal

from pydantic import Field

from shared.events.contract import EventData, Instant

Outcome = Literal["ok", "degraded", "failed", "probe_error", "skipped"]


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
