"""Rules of retention: how long an entry must stay, and what keeps a partition of the log from leaving."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from shared.errors import Conflict, Malformed
from shared.events import GROUP, Instant
from shared.resource import Resource

LEAST_DAYS = 2192
"""Six years: 45 CFR 164.316(b)(2)(i)."""

Kind = tuple[str, str]
"""A site and a type."""

State = Literal["kept", "planned", "archived", "pruned", "restoring", "restored"]


class Policy(Resource):
    """How many days the entries of a site and type stay; null stands for every site or type."""

    id: str = Field(examples=["0198c0de-0000-7000-8000-000000000001"])
    site_id: str | None = Field(examples=["north"])
    type: str | None = Field(examples=["probe.result"])
    days: int = Field(examples=[3650])
    reason: str | None = None


class Hold(Resource):
    """Entries that must stay until it is released. A part that is null is open; ``from_time`` is included."""

    id: str = Field(examples=["0198c0de-0000-7000-8000-000000000001"])
    site_id: str | None
    type: str | None
    subject: str | None
    from_time: Instant | None
    to_time: Instant | None
    reason: str
    placed_by: str
    placed_at: Instant
    released_by: str | None = None
    released_at: Instant | None = None
    release_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of the log that leaves as a whole: the entries from ``start`` up to ``end``.

    ``kinds`` occur in it; ``held`` are the subjects of holds that do.
    """

    number: int
    start: int
    end: int
    complete: bool
    first_time: datetime
    last_time: datetime
    last_recorded: datetime
    kinds: frozenset[Kind]
    held: frozenset[str] = frozenset()
    state: State = "kept"


def days_of(policies: Iterable[Policy], kind: Kind) -> int:
    """How long entries of a kind stay: as the most specific policy says, of two alike the longer; else six years."""
    site_id, event_type = kind
    fitting = [p for p in policies if p.site_id in (None, site_id) and p.type in (None, event_type)]
    if not fitting:
        return LEAST_DAYS
    narrowest = max((p.site_id is not None) + (p.type is not None) for p in fitting)
    return max(p.days for p in fitting if (p.site_id is not None) + (p.type is not None) == narrowest)


def check_policy(days: int, reason: str | None) -> None:
    """Raises Malformed when less than six years is asked for without saying why."""
    if days < LEAST_DAYS and not reason:
        raise Malformed("reason", f"is required for less than {LEAST_DAYS} days", "a test system without patients")


def check_kind(kind: tuple[str | None, str | None], sites: Collection[str], types: Collection[str]) -> None:
    """Raises Malformed for a site or a type that is not known: what was mistyped would keep nothing, unseen."""
    site_id, event_type = kind
    if site_id is not None and site_id not in sites:
        known = min(set(sites) - {GROUP}, default=GROUP)
        raise Malformed("site_id", "must be a site that the log has entries of", known)
    if event_type is not None and event_type not in types:
        raise Malformed("type", "must be a type of event", "probe.result")


def due_at(partition: Partition, policies: Sequence[Policy]) -> datetime:
    """When the last of a partition's entries has stayed as long as it must."""
    longest = max((days_of(policies, kind) for kind in partition.kinds), default=LEAST_DAYS)
    return partition.last_recorded + timedelta(days=longest)


def touches(hold: Hold, partition: Partition) -> bool:
    """Whether a hold may concern an entry of a partition. In doubt it does."""
    if hold.released_at is not None or (hold.subject is not None and hold.subject not in partition.held):
        return False
    if hold.from_time is not None and partition.last_time < hold.from_time:
        return False
    if hold.to_time is not None and partition.first_time >= hold.to_time:
        return False
    return any(hold.site_id in (None, site) and hold.type in (None, kind) for site, kind in partition.kinds)


def keeps(partition: Partition, policies: Sequence[Policy], holds: Sequence[Hold], now: datetime) -> list[str]:
    """All that keeps a partition from being pruned at ``now``; of one that may go, nothing."""
    reasons = []
    if not partition.complete:
        reasons.append("the log has not grown past it")
    if (due := due_at(partition, policies)) > now:
        reasons.append(f"its last entry must stay until {due.isoformat()}")
    reasons += [f"legal hold {hold.id}: {hold.reason}" for hold in holds if touches(hold, partition)]
    return reasons


def release(hold: Hold, actor: str, now: datetime, reason: str) -> Hold:
    """The hold, released. Raises Conflict when it was before."""
    if hold.released_at is not None:
        raise Conflict(f"hold {hold.id} was released at {hold.released_at.isoformat()} by {hold.released_by}")
    changes = {"released_by": actor, "released_at": now, "release_reason": reason, "version": hold.version + 1}
    return hold.model_copy(update=changes)


class PartitionPlan(BaseModel):
    """A part of the log and what is to become of it. ``kept_by`` is empty where it may be pruned now."""

    number: int = Field(examples=[0])
    first: int = Field(examples=[0])
    end: int = Field(examples=[4194304])
    state: State
    size_bytes: int
    first_time: Instant
    last_time: Instant
    last_recorded: Instant
    due_at: Instant
    kinds: list[Kind] = Field(examples=[[("north", "probe.result")]])
    kept_by: list[str]
    location: str | None = Field(None, examples=["s3://steward-archive/log"])
    fault: str | None = None
    restored_until: Instant | None = None


def plan_of(
    partition: Partition,
    policies: Sequence[Policy],
    holds: Sequence[Hold],
    now: datetime,
    *,
    size_bytes: int,
    location: str | None,
    fault: str | None,
    restored_until: datetime | None,
) -> PartitionPlan:
    """What is shown of a partition."""
    return PartitionPlan(
        number=partition.number,
        first=partition.start,
        end=partition.end,
        state=partition.state,
        size_bytes=size_bytes,
        first_time=partition.first_time,
        last_time=partition.last_time,
        last_recorded=partition.last_recorded,
        due_at=due_at(partition, policies),
        kinds=sorted(partition.kinds),
        kept_by=keeps(partition, policies, holds, now),
        location=location,
        fault=fault,
        restored_until=restored_until,
    )


class Asked(BaseModel):
    """What will be pruned. The plan tells how far it is."""

    partitions: list[int]


class Restoring(BaseModel):
    """What will be searchable, and until when. The plan tells how far it is."""

    partition: int
    until: Instant
