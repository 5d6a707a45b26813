"""Which time is summed up next: a period is closed, then rolled, and what comes into it later is rolled again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST_ROLL = timedelta(minutes=15)
PATIENCE = timedelta(seconds=90)
"""How long a period stays open for the results of its last runs, so that they need not be rolled twice."""


@dataclass(frozen=True)
class Marks:
    """What is due before ``closed`` comes late for its rollup; up to ``rolled`` the rollups were made."""

    closed: datetime
    rolled: datetime


def floor(instant: datetime, step: timedelta) -> datetime:
    """The start of the step in which the instant lies; steps begin with the epoch."""
    return instant - (instant - EPOCH) % step


def closable(now: datetime) -> datetime:
    """Until when periods can be closed."""
    return floor(now - PATIENCE, STEP)


def next_roll(marks: Marks) -> tuple[datetime, datetime] | None:
    """The period to roll next; None when all that is closed was rolled."""
    if marks.rolled >= marks.closed:
        return None
    return marks.rolled, min(marks.rolled + LONGEST_ROLL, marks.closed)


def hours_ending(starts_at: datetime, ends_at: datetime) -> list[datetime]:
    """The starts of the hours that are complete by ``ends_at`` and were not by ``starts_at``."""
    hour = floor(starts_at, HOUR)
    hours = []
    while hour + HOUR <= ends_at:
        hours.append(hour)
        hour += HOUR
    return hours
