"""Times as a person at the site reads them, with UTC beside for everyone else."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def local_and_utc(instant: datetime, time_zone: str) -> str:
    """Such as ``Sat 14 Jun 2025, 22:00 CEST (20:00 UTC)``; the UTC date is named where it is another day."""
    local, utc = instant.astimezone(ZoneInfo(time_zone)), instant.astimezone(UTC)
    text = f"{_day(local)}, {local:%H:%M} {_zone_name(local)}"
    if local.tzname() == "UTC":
        return text
    return f"{text} ({utc:%H:%M} UTC)" if local.date() == utc.date() else f"{text} ({_day(utc)}, {utc:%H:%M} UTC)"


def local_span(start: datetime, end: datetime, time_zone: str) -> str:
    """Such as ``Sat 14 Jun 2025, 22:00–02:00 CEST``. An end a day or more later names its day."""
    zone = ZoneInfo(time_zone)
    first, last = start.astimezone(zone), end.astimezone(zone)
    is_short = end.astimezone(UTC) - start.astimezone(UTC) < timedelta(days=1)
    since = f"{first:%H:%M}" if first.tzname() == last.tzname() else f"{first:%H:%M} {_zone_name(first)}"
    until = f"{last:%H:%M}" if is_short else f"{_day(last)}, {last:%H:%M}"
    return f"{_day(first)}, {since}–{until} {_zone_name(last)}"


def duration(start: datetime, end: datetime) -> str:
    """Elapsed time in days, hours and minutes, such as ``4 h`` or ``1 h 30 min``; seconds are left out."""
    minutes = max(0, int((end.astimezone(UTC) - start.astimezone(UTC)).total_seconds()) // 60)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "under a minute"


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b %Y}"


def _zone_name(moment: datetime) -> str:
    name = moment.tzname() or ""
    return f"UTC{name}" if name.startswith(("+", "-")) else name
