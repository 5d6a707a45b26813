"""Times, sizes and states as a person reads them."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
