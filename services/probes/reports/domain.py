"""Rules of reports: how many one person and one site may file, which moment they are about, and how they end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.probes.alerts.records import Alert
from services.probes.history.domain import Result
from services.probes.kpis.domain import AvailabilityOfProbe, PercentilesOfProbe
from services.probes.reports.text import Sentence, Telling
from shared.errors import Conflict, Malformed, TooMany
from shared.events import Instant, SiteId
from shared.resource import Body, Id, Moment, Resource

State = Literal["open", "closed"]

AHEAD = timedelta(minutes=5)
"""How far a workstation's clock may be ahead."""

OLDEST = timedelta(days=7)
HOUR = timedelta(hours=1)


class NewReport(Body):
    """What was noticed, where and when. Whoever reads it must not learn of patients: name none, and no examination."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "site_id": "north",
                    "system_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
                    "summary": "Images load slowly in the ED",
                    "details": "CT series take a minute to open; X-rays are as usual.",
                    "place": "ED, reading room 2",
                    "happened_at": None,
                    "contact": "Dr. Weber, 4711",
                }
            ]
        }
    )

    site_id: SiteId
    system_id: Id | None = Field(None, description="the system that it seems to be about, if that is known")
    summary: Sentence
    details: Telling = ""
    place: Sentence | None = None
    happened_at: Moment | None = Field(None, description="by default now; within the last seven days")
    contact: Sentence | None = Field(None, description="whom to call back")


class Report(Resource):
    """A report, open until somebody has said what came of it. ``alert_id`` is the alert that it raised or joined."""

    id: str
    site_id: str = Field(examples=["north"])
    system_id: str | None
    asset_name: str = Field(examples=["North archive"])
    summary: str
    details: str
    place: str | None
    contact: str | None
    happened_at: Instant
    filed_at: Instant
    filed_by: str
    alert_id: str
    sha256: str = Field(description="of its evidence, as it is served")
    closed_at: Instant | None = None
    closed_by: str | None = None
    outcome: str | None = None


class OpenWindow(BaseModel):
    """A maintenance window that was open at the moment."""

    id: str
    systems: list[str]
    starts_at: Instant
    ends_at: Instant


class Evidence(BaseModel):
    """What the probes of the system, or of the site, saw: at the moment, and in the hour before it.

    Where they are many, those that saw something wrong come first and the others may be missing, ``probes_omitted``.
    """

    moment: Instant
    results: list[Result]
    probes_omitted: int
    availability: list[AvailabilityOfProbe]
    percentiles: list[PercentilesOfProbe]
    alerts: list[Alert]
    windows: list[OpenWindow]


@dataclass(frozen=True)
class Allowance:
    """How many reports are taken in a time; more are a mistake or a flood, and one says as much as a hundred."""

    reports: int
    within: timedelta


OF_PERSON = Allowance(5, timedelta(minutes=10))
OF_SITE = Allowance(60, timedelta(hours=1))


def check_allowance(of_person: int, of_site: int) -> None:
    """Raises TooMany, with when to try again, for who or where has filed that many lately."""
    for filed, allowed, whose in ((of_person, OF_PERSON, "You have"), (of_site, OF_SITE, "This site has")):
        if filed >= allowed.reports:
            minutes = allowed.within // timedelta(minutes=1)
            raise TooMany(
                f"{whose} filed {filed} reports in {minutes} minutes; they are being looked at. In urgent cases call.",
                retry_after_seconds=allowed.within // timedelta(seconds=1),
            )


def moment_of(report: NewReport, now: datetime) -> datetime:
    """The moment that it is about. Raises Malformed for one to come, or of which little is known any more."""
    if report.happened_at is None:
        return now
    if not now - OLDEST <= report.happened_at <= now + AHEAD:
        raise Malformed("happened_at", "must lie in the last seven days", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return min(report.happened_at, now)


def close(report: Report, outcome: str, actor: str, now: datetime) -> Report:
    """The report with what came of it. Raises Conflict for one that is closed."""
    if report.closed_at is not None:
        raise Conflict(f"report {report.id} is closed: {report.outcome}")
    ended = {"outcome": outcome, "closed_by": actor, "closed_at": now, "version": report.version + 1}
    return report.model_copy(update=ended)


def check_of(report_id: str) -> str:
    """What the alert of a report names as its check; it is that of the first one, if others join it."""
    return f"report:{report_id}"


def words_of(summary: str, place: str | None) -> str:
    """The report in one line, as the alert has it."""
    return f"Reported by staff: {summary}" + (f" ({place})" if place else "")
