"""The words of a maintenance window's mails."""

from datetime import datetime
from pathlib import Path

from services.notifier.announcements.calendar import IMPACT_WORDS, WindowWords
from services.notifier.delivery.domain import thread_name
from services.notifier.delivery.message import Content, Facts, Stationery, Tone
from services.notifier.delivery.text import one_line
from services.notifier.delivery.times import duration, local_and_utc, local_span
from shared.events.notifier import WindowNoticeKind

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
    words: WindowWords,
    *,
    previous: tuple[datetime, datetime] | None = None,
    happened_at: datetime | None = None,
    cancellation_reason: str = "",
) -> Content:
    """The mail of one words.

    `previous`: start and end before a change. `happened_at`: when the work really started or finished.
    """
    rows = _rows(kind, words, previous, happened_at, cancellation_reason)
    return _STATIONERY.write(
        kind,
        Facts(words.site_name, rows, words.contact, _TONES.get(kind, "planned")),
        site=words.site_name,
        systems=_summary(words.systems),
        work="downtime" if words.impact == "OUTAGE" else "maintenance",
        impact=words.impact,
        span=local_span(words.starts_at, words.ends_at, words.time_zone),
        start=local_and_utc(words.starts_at, words.time_zone),
        end=local_and_utc(words.ends_at, words.time_zone),
    )


def _rows(
    kind: WindowNoticeKind,
    words: WindowWords,
    previous: tuple[datetime, datetime] | None,
    happened_at: datetime | None,
    cancellation_reason: str,
) -> Rows:
    return (
        ("Affected", "\n".join(words.systems)),
        *_times(kind, words, happened_at),
        ("Before", local_span(*previous, words.time_zone) if previous else ""),
        ("Impact", "" if kind in ("finished", "cancelled") else IMPACT_WORDS[words.impact]),
        ("Because", cancellation_reason),
        ("Work", words.title),
        ("Reason", "" if kind == "cancelled" else words.reason),
    )


def _times(kind: WindowNoticeKind, words: WindowWords, happened_at: datetime | None) -> Rows:
    def shown(instant: datetime) -> str:
        return local_and_utc(instant, words.time_zone)

    if kind == "cancelled":
        return (("Was planned", local_span(words.starts_at, words.ends_at, words.time_zone)),)
    if kind == "finished":
        return (("Finished", shown(happened_at or words.ends_at)),)
    starts_at = happened_at if kind == "started" and happened_at else words.starts_at
    until = f"{shown(words.ends_at)}, {duration(starts_at, words.ends_at)}"
    return ("From", shown(starts_at)), ("Until", until)


def _summary(systems: tuple[str, ...]) -> str:
    """Short enough for a subject."""
    if not systems:
        return "PACS systems"
    first, *others = (one_line(system, 60) for system in systems)
    rest = others[0] if len(others) == 1 else f"{len(others)} more"
    return f"{first} and {rest}" if others else first
