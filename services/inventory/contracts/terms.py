"""When a contract's end has to be told: ahead of it, and again when it has come, by the calendar of its site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.inventory.contracts.domain import Contract

Stage = Literal["ending", "ended"]
ONE_DAY = timedelta(days=1)
CHECK = "contract"


@dataclass(frozen=True)
class OpenAlert:
    """An alert about a term that nobody has resolved. ``asset_name`` is what the contract was called in it."""

    stage: Stage
    term: date
    alert_id: str
    asset_name: str
    raised_at: datetime


@dataclass(frozen=True)
class Settlement:
    """What is to be told of a contract: which alerts are over, and which one is to be raised."""

    over: Sequence[OpenAlert]
    due: Stage | None


def local_day(now: datetime, time_zone: str) -> date:
    """The day at a place in that zone."""
    return now.astimezone(ZoneInfo(time_zone)).date()


def first_instant(day: date, time_zone: str) -> datetime:
    """When a day begins at a place: also where the clocks change at midnight and the day has no 00:00."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)


def first_day_of(stage: Stage, contract: Contract) -> date:
    """The day on which a stage begins. A contract holds on its last day, and is to be reviewed on the day named."""
    if stage == "ending":
        return contract.term - timedelta(days=contract.notice_days)
    return contract.term + (ONE_DAY if contract.ends else timedelta())


def stage_on(contract: Contract, day: date) -> Stage | None:
    """Which stage of its end a contract is in on that day; none where the end is provided for."""
    if contract.let_lapse or contract.renewed_by is not None:
        return None
    if day >= first_day_of("ended", contract):
        return "ended"
    return "ending" if day >= first_day_of("ending", contract) else None


def settle(contract: Contract, alerts: Sequence[OpenAlert], today: date) -> Settlement:
    """What is to be told today. An alert ahead of the end stays open beside that of the end, until both are over."""
    due = stage_on(contract, today)
    lasting = {None: (), "ending": ("ending",), "ended": ("ending", "ended")}[due]
    over = [alert for alert in alerts if alert.stage not in lasting or alert.term != contract.term]
    left = {alert.stage for alert in alerts if alert not in over}
    return Settlement(over, None if due in left else due)


def summary_of(stage: Stage, contract: Contract, title: str) -> str:
    """What people read of a stage."""
    if contract.ends is None:
        return f"{title} is to be reviewed on {contract.term}"
    return f"{title} ends on {contract.term}" if stage == "ending" else f"{title} has ended on {contract.term}"


def resolution_of(contract: Contract, title: str) -> str:
    """What people read when it is over."""
    if contract.let_lapse:
        return f"{title} is meant to end"
    if contract.renewed_by is not None:
        return f"{title} is renewed by another contract"
    return f"{title} now runs until {contract.term}" if contract.ends else f"{title} is next reviewed {contract.term}"
