"""Times, sizes, states and values as a person reads them."""

import json
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MOST_CHARACTERS = 120
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def zone_of(name: str) -> tzinfo:
    """The site's time zone; UTC where its name is unknown here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def local(instant: datetime, zone: tzinfo) -> str:
    """Such as ``Sat 14 Jun, 22:00``, in the zone."""
    there = instant.astimezone(zone)
    return f"{there:%a} {there.day} {there:%b, %H:%M}"


def dated(instant: datetime, zone: tzinfo) -> str:
    """Such as ``14 Jun 2026, 22:00``, in the zone: for what may lie years back."""
    there = instant.astimezone(zone)
    return f"{day(there.date())}, {there:%H:%M}"


def day(of: date) -> str:
    """Such as ``14 Jun 2026``."""
    return f"{of.day} {of:%b %Y}"


def distance(of: date, today: date) -> str:
    """How far a day is from today, in the one unit that matters: ``in 12 days``, ``today``, ``3 months ago``."""
    days = (of - today).days
    if days == 0:
        return "today"
    unit, length = ("year", 365.25) if abs(days) >= 730 else ("month", 30.44) if abs(days) >= 60 else ("day", 1)
    count = round(abs(days) / length)
    told = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"in {told}" if days > 0 else f"{told} ago"


def ago(instant: datetime, now: datetime) -> str:
    """How long ago, in the one unit that matters: ``12 s``, ``5 min``, ``3 h``, ``2 d``."""
    seconds = max(0, int((now - instant).total_seconds()))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(count: int | None) -> str:
    """Bytes with a binary unit, such as ``1.4 GiB``."""
    if count is None:
        return "unknown"
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {UNITS[unit]}" if unit else f"{count} B"


def words(state: str) -> str:
    """A state without its underscores."""
    return state.replace("_", " ")


def brief(value: object) -> str:
    """A value of a field on one line: ``none``, ``yes``, text, or JSON for what has parts."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
