"""The words of a maintenance window's mails."""

from datetime import datetime
from pathlib import Path

from services.notifier.announcements.calendar import IMPACT_WORDS, MaintenanceNotice
from services.notifier.announcements.domain import WindowNoticeKind
from services.notifier.delivery.domain import thread_name
from services.notifier.delivery.message import Content, Facts, Stationery, Tone
from services.notifier.delivery.text import one_line
from services.notifier.delivery.times import duration, local_and_utc, local_span

_STATIONERY = Stationery(Path(__file__).parent / "templates")
_TONES: dict[WindowNoticeKind, Tone] = {
    "short_notice": "urgent",
    "started": "urgent",
    "finished": "good",
    "cancelled": "quiet",
}

Rows = tuple[tuple[str, str], ...]


def window_thread(window_id: str) -> str:
    """The thread in which all mails about one window stand."""
    return thread_name("window", window_id)


def window_content(
    kind: WindowNoticeKind,
    notice: MaintenanceNotice,
    *,
    previous: tuple[datetime, datetime] | None = None,
    happened_at: datetime | None = None,
    cancellation_reason: str = "",
) -> Content:
    """The mail of one notice.

    `previous`: start and end before a change. `happened_at`: when the work really started or finished.
    """
    rows = (
        ("Affected", "\n".join(notice.systems)),
        *_times(kind, notice, happened_at),
        ("Before", local_span(*previous, notice.time_zone) if previous else ""),
        ("Impact", "" if kind in ("finished", "cancelled") else IMPACT_WORDS[notice.impact]),
        ("Because", cancellation_reason),
        ("Work", notice.title),
        ("Reason", "" if kind == "cancelled" else notice.reason),
    )
    facts = Facts(notice.site_name, rows, notice.contact, _TONES.get(kind, "planned"))
    return _STATIONERY.write(
        kind,
        facts,
        site=notice.site_name,
        systems=_summary(notice.systems),
        work="downtime" if notice.impact == "OUTAGE" else "maintenance",
        impact=notice.impact,
        span=local_span(notice.starts_at, notice.ends_at, notice.time_zone),
        start=local_and_utc(notice.starts_at, notice.time_zone),
        end=local_and_utc(notice.ends_at, notice.time_zone),
    )


def _times(kind: WindowNoticeKind, notice: MaintenanceNotice, happened_at: datetime | None) -> Rows:
    def shown(instant: datetime) -> str:
        return local_and_utc(instant, notice.time_zone)

    if kind == "cancelled":
        return (("Was planned", local_span(notice.starts_at, notice.ends_at, notice.time_zone)),)
    if kind == "finished":
        return (("Finished", shown(happened_at or notice.ends_at)),)
    starts_at = happened_at if kind == "started" and happened_at else notice.starts_at
    until = f"{shown(notice.ends_at)}, {duration(starts_at, notice.ends_at)}"
    return ("From", shown(starts_at)), ("Until", until)


def _summary(systems: tuple[str, ...]) -> str:
    """Short enough for a subject."""
    if not systems:
        return "PACS systems"
    first, *others = (one_line(system, 60) for system in systems)
    rest = others[0] if len(others) == 1 else f"{len(others)} more"
    return f"{first} and {rest}" if others else first
