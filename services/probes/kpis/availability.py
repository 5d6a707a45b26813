"""How much of a period a target was there, and how long it holds and is away: from what its results account for.

A result that says something of the target (``ok``, ``degraded``, ``failed``) accounts for the time until the next such
one, for three intervals at most. What no result accounts for is unknown, never down. *Reachable*: it took a connection,
or answered, whatever came of it. *Usable*: the outcome was ``ok``. Time in maintenance windows is planned and stands
apart.
"""

from dataclasses import dataclass, fields
from typing import Self

from services.probes.alerts.upstream import OUT_OF_REACH
from services.probes.kpis.domain import Availability, Reliability

UNREACHABLE = OUT_OF_REACH
"""The classes of failure that lie below all connections; any other tells of a peer that took one."""

UNREACHABLE_UNCONNECTED = frozenset({"timeout_answer"})
"""Those that do so only where no connection was made before: over UDP there is none, and silence is all there is."""


@dataclass(frozen=True, slots=True)
class Account:
    """What results account for, in seconds, and how often the target was lost or broke outside windows. Adds up."""

    observed: float = 0.0
    reachable: float = 0.0
    usable: float = 0.0
    planned: float = 0.0
    planned_down: float = 0.0
    losses: int = 0
    breakdowns: int = 0

    def __add__(self, other: Self) -> "Account":
        return Account(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def availability_of(account: Account, period_seconds: float) -> Availability:
    """The shares of a period of that length. Shares are of the time that is known and not planned."""
    known = account.observed + account.planned
    return Availability(
        seconds=period_seconds,
        observed_seconds=account.observed,
        reachable_seconds=account.reachable,
        usable_seconds=account.usable,
        planned_seconds=account.planned,
        planned_down_seconds=account.planned_down,
        unknown_seconds=max(0.0, period_seconds - known),
        reachable=_ratio(account.reachable, account.observed),
        usable=_ratio(account.usable, account.observed),
    )


def reliability_of(account: Account) -> Reliability:
    """Mean times: between failures, the time usable by the number of breakdowns; to recovery, the time not usable.

    None without a breakdown in the period: then no mean is known, and that nothing broke says more.
    """
    away = max(0.0, account.observed - account.usable)
    return Reliability(
        breakdowns=account.breakdowns,
        losses=account.losses,
        mtbf_seconds=_ratio(account.usable, account.breakdowns),
        mttr_seconds=_ratio(away, account.breakdowns),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
