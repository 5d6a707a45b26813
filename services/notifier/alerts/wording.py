"""The words of an alert's mails."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from services.notifier.alerts.domain import TurnForWorse
from services.notifier.delivery.domain import thread_name
from services.notifier.delivery.message import Content, Facts, Stationery
from services.notifier.delivery.times import duration, local_and_utc

_STATIONERY = Stationery(Path(__file__).parent / "templates")


@dataclass(frozen=True)
class AlertWords:
    """What there is to say about an alert; with `resolved_at` it is over. `turn` is what made it worse."""

    alert_id: str
    site_name: str
    time_zone: str
    asset_name: str
    check: str
    severity: Literal["warning", "critical"]
    summary: str
    since: datetime
    contact: str
    resolved_at: datetime | None = None
    persisted_past_window: bool = False
    flapping: bool = False
    turn: TurnForWorse | None = None


def alert_thread(alert_id: str) -> str:
    """The thread in which all mails about one alert stand."""
    return thread_name("alert", alert_id)


def alert_content(alert: AlertWords) -> Content:
    """The mail that says that the alert was raised or, with `resolved_at`, that it is over, or worse."""
    is_over = alert.resolved_at is not None
    facts = Facts(
        site_name=alert.site_name,
        rows=_rows(alert),
        contact=alert.contact,
        tone="good" if is_over else "urgent",
    )
    return _STATIONERY.write(
        "resolved" if is_over else alert.turn or "raised",
        facts,
        site=alert.site_name,
        asset=alert.asset_name,
        severity=alert.severity,
        summary=alert.summary,
        persisted_past_window=alert.persisted_past_window,
        flapping=alert.flapping,
    )


def _rows(alert: AlertWords) -> tuple[tuple[str, str], ...]:
    rows: tuple[tuple[str, str], ...] = (
        ("Affected", alert.asset_name),
        ("What", alert.summary),
        ("Since", local_and_utc(alert.since, alert.time_zone)),
    )
    if alert.resolved_at is not None:
        rows += (
            ("Over since", local_and_utc(alert.resolved_at, alert.time_zone)),
            ("Lasted", duration(alert.since, alert.resolved_at)),
        )
    return (*rows, ("Check", alert.check))
