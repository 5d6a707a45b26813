"""Rules of maintenance windows: when one is open, and when it keeps alerts from being raised."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Window:
    """A maintenance window; ``systems`` is its scope."""

    id: str
    systems: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    is_cancelled: bool = False

    @property
    def opens_at(self) -> datetime:
        """Its start, or when it was started before that."""
        return min(self.starts_at, self.started_at or self.starts_at)

    @property
    def closes_at(self) -> datetime:
        """Its end, or when it was ended before that."""
        return min(self.ends_at, self.ended_at or self.ends_at)

    def is_open(self, now: datetime) -> bool:
        """Whether work may be going on."""
        return not self.is_cancelled and self.opens_at <= now < self.closes_at

    def holds_back(self, now: datetime, grace: timedelta) -> bool:
        """Whether nothing is raised for its systems: it is open, or not yet closed for longer than ``grace``."""
        return not self.is_cancelled and self.opens_at <= now < self.closes_at + grace


def open_windows(windows: Sequence[Window], targets: Collection[str | None], now: datetime) -> list[Window]:
    """The windows that are open now for one of ``targets``."""
    return [window for window in windows if window.is_open(now) and not window.systems.isdisjoint(targets)]


def is_held_back(windows: Sequence[Window], targets: Collection[str | None], now: datetime, grace: timedelta) -> bool:
    """Whether a window keeps alerts of one of ``targets`` from being raised now."""
    return any(w.holds_back(now, grace) and not w.systems.isdisjoint(targets) for w in windows)
