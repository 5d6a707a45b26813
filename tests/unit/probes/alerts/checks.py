"""Probes and results to judge, as small as they can be."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from services.probes.alerts.domain import Policy
from services.probes.alerts.judging import Judged
from services.probes.alerts.limits import Limits
from services.probes.history.domain import Result
from services.probes.runs.domain import Probe
from shared.events.probes import Outcome

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy(failures=3, successes=2, grace=10 * MINUTE)

PROBE = Probe(
    id="echo:pacs",
    kind="dicom-echo",
    subject="pacs",
    site_id="north",
    system_id="system",
    name="north-pacs",
    settings={"host": "10.0.0.1"},
    interval=MINUTE,
    retry_interval=timedelta(seconds=20),
    timeout=timedelta(seconds=10),
)


def probe(subject: str = "pacs", **changes: Any) -> Probe:
    """A probe of a subject."""
    return replace(PROBE, id=f"echo:{subject}", subject=subject, settings={"host": subject}, **changes)


def judged(
    of: Probe,
    outcome: Outcome,
    at: datetime,
    failure: str | None = None,
    measures: Mapping[str, float] | None = None,
    vantage: str = "first",
) -> Judged:
    """A result of a probe."""
    result = Result(
        id=f"{of.id} {at.isoformat()}",
        probe_id=of.id,
        subject=of.subject,
        site_id=of.site_id,
        kind=of.kind,
        due_at=at,
        started_at=at,
        outcome=outcome,
        failure=failure or ("timeout_connect" if outcome == "failed" else None),
        detail=f"it is {outcome}",
        phases={},
        rejection=None,
        status=None,
        lag_ms=0,
        vantage=vantage,
        window_id=None,
        measures=dict(measures or {}),
        facts={},
    )
    return Judged(of, result)


class Ids:
    """Ids that are the same in every replay."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> str:
        return f"alert-{next(self._numbers)}"


LIMITS = {"used_ratio": Limits(warning=80, critical=90)}
