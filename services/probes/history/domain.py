"""What one run of a probe saw, as it is kept."""

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Instant
from shared.events.probes import Outcome


class Result(BaseModel):
    """What one run of one probe saw. Phases and lag are milliseconds; the id is that of its event."""

    model_config = ConfigDict(frozen=True)

    id: str
    probe_id: str = Field(examples=["dicom-echo:0197f2a4-6a3c-7d52-9c39-3f7e5a1b2c4d"])
    subject: str
    site_id: str = Field(examples=["north"])
    kind: str = Field(examples=["dicom-echo"])
    due_at: Instant
    started_at: Instant
    outcome: Outcome
    failure: str | None
    detail: str
    phases: dict[str, float]
    rejection: tuple[int, int, int] | None
    status: str | None
    lag_ms: float
    vantage: str
    window_id: str | None
    measures: dict[str, float]
    facts: dict[str, str]
