"""Rules of end of life: the earliest of age, usage, support end and an advisory without a fix.

What isn't known is told as such and never counts as a date: "supported, end not announced" is another thing than
"nobody has asked". All dates are days at the component's site.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.inventory.vendors.domain import SupportEnd, SupportEndsOn, SupportUnknown
from shared.errors import Conflict, Malformed
from shared.events import GROUP
from shared.resource import Resource

Ground = Literal["age", "usage", "support", "advisory"]
Unknown = Literal["purchase_date", "usage", "support"]
OrderState = Literal["due", "ordered", "waived", "settled"]

SHORTEST_PACE_DAYS = 14
"""A counter that has run for a shorter time tells nothing of its pace."""

_LAST_DAY = date(2199, 12, 31)


class UsageLimit(BaseModel):
    """A counter's end: at ``limit`` the component is worn out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    counter: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", examples=["power_on_hours"])]
    limit: Annotated[float, Field(gt=0, examples=[43_800])]


class Rule(BaseModel):
    """What ends the life of components of one type, and how many days ahead an order must be raised."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_age_months: Annotated[int, Field(ge=1, le=600)] | None = Field(None, examples=[60])
    usage: tuple[UsageLimit, ...] = ()
    lead_days: Annotated[int, Field(ge=0, le=1_500)] = Field(90, examples=[90])


RULES: Mapping[str, Rule] = {
    "drive": Rule(
        max_age_months=60,
        usage=(UsageLimit(counter="power_on_hours", limit=43_800), UsageLimit(counter="wear_percent", limit=90)),
    ),
    "battery": Rule(max_age_months=48, usage=(UsageLimit(counter="cycles", limit=300),), lead_days=60),
    "ups": Rule(max_age_months=120),
    "server": Rule(max_age_months=72, lead_days=180),
    "array": Rule(max_age_months=72, lead_days=180),
    "switch": Rule(max_age_months=96, lead_days=120),
    "workstation": Rule(max_age_months=60),
}
"""The defaults, ours: a drive is replaced by five years or 43,800 hours of power, whichever comes first."""


class Usage(BaseModel):
    """What a counter says, and the day when it ``began`` at zero, from which it is carried forward."""

    model_config = ConfigDict(frozen=True)

    counter: str
    value: float
    on: date
    began: date | None


class Facts(BaseModel):
    """What is known of a component that bears on its end."""

    model_config = ConfigDict(frozen=True)

    type: str
    purchase_date: date | None = None
    usage: tuple[Usage, ...] = ()
    support: SupportEnd = SupportUnknown()
    unfixed_advisories: tuple[str, ...] = ()


class Candidate(BaseModel):
    """One reason for which a component ends, and the day."""

    model_config = ConfigDict(frozen=True)

    on: date = Field(examples=["2029-03-31"])
    ground: Ground
    why: str = Field(examples=["bought on 2024-03-31, and drives are replaced after 60 months"])


class EndOfLife(BaseModel):
    """When a component ends: the first of ``candidates`` decides. ``unknown`` is what should be found out."""

    model_config = ConfigDict(frozen=True)

    candidates: list[Candidate]
    unknown: list[Unknown]

    @property
    def first(self) -> Candidate | None:
        """The one that comes first; None when nothing is known that ends it."""
        return self.candidates[0] if self.candidates else None


def end_of_life(facts: Facts, rule: Rule, today: date) -> EndOfLife:
    """All that ends the component, earliest first."""
    found = [*_by_age(facts, rule), *_by_usage(facts, rule), *_by_support(facts), *_by_advisories(facts, today)]
    return EndOfLife(
        candidates=sorted(found, key=lambda candidate: (candidate.on, candidate.ground)),
        unknown=list(_unknown(facts, rule)),
    )


def _by_age(facts: Facts, rule: Rule) -> Iterator[Candidate]:
    if facts.purchase_date is not None and rule.max_age_months is not None:
        why = f"bought on {facts.purchase_date}, and replaced after {rule.max_age_months} months"
        yield Candidate(on=months_after(facts.purchase_date, rule.max_age_months), ground="age", why=why)


def _by_usage(facts: Facts, rule: Rule) -> Iterator[Candidate]:
    limits = {usage.counter: usage.limit for usage in rule.usage}
    for usage in facts.usage:
        limit = limits.get(usage.counter)
        reached = None if limit is None else reaches(usage, limit)
        if reached is not None:
            why = f"{usage.counter} was {usage.value:g} on {usage.on}, and {limit:g} is the limit"
            yield Candidate(on=reached, ground="usage", why=why)


def _by_support(facts: Facts) -> Iterator[Candidate]:
    if isinstance(facts.support, SupportEndsOn):
        why = f"the vendor supports it to {facts.support.on} ({facts.support.source})"
        yield Candidate(on=facts.support.on, ground="support", why=why)


def _by_advisories(facts: Facts, today: date) -> Iterator[Candidate]:
    for advisory in sorted(facts.unfixed_advisories):
        yield Candidate(on=today, ground="advisory", why=f"{advisory} has no fix")


def _unknown(facts: Facts, rule: Rule) -> Iterator[Unknown]:
    if rule.max_age_months is not None and facts.purchase_date is None:
        yield "purchase_date"
    if rule.usage and not {limit.counter for limit in rule.usage} & {usage.counter for usage in facts.usage}:
        yield "usage"
    if isinstance(facts.support, SupportUnknown):
        yield "support"


def reaches(usage: Usage, limit: float) -> date | None:
    """The day when a counter comes to its limit, at the pace since it began; None while that can't be said.

    A counter that is at its limit has come there on the day of its reading.
    """
    if usage.value >= limit:
        return usage.on
    days = 0 if usage.began is None else (usage.on - usage.began).days
    if days < SHORTEST_PACE_DAYS or usage.value <= 0:
        return None
    left = (limit - usage.value) / usage.value * days
    return None if left > (_LAST_DAY - usage.on).days else usage.on + timedelta(days=int(left))


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the month's last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + month // 11, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


class ComponentEnd(EndOfLife):
    """The end of one component, as it was seen last."""

    asset_id: str
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["Drive 3"])
    type: str = Field(examples=["drive"])
    on: date | None = Field(description="the first of the candidates", examples=["2029-03-31"])
    ground: Ground | None
    order_by: date | None = Field(description="when an order must be raised at the latest")


class TypeRule(Resource):
    """The rule of a type of components; ``version`` 0 is the built-in one."""

    type: str = Field(examples=["drive"])
    rule: Rule

    @property
    def id(self) -> str:
        """The type."""
        return self.type

    @property
    def site_id(self) -> str:
        """A rule is the group's."""
        return GROUP


class BudgetLine(BaseModel):
    """How many components of a type end at a site in a budget year, and how many of them have ended already."""

    model_config = ConfigDict(frozen=True)

    budget_year: int | None = Field(description="null where no end is known", examples=[2029])
    site_id: str = Field(examples=["north"])
    type: str = Field(examples=["drive"])
    ground: Ground | None
    components: int = Field(examples=[24])
    past: int = Field(examples=[2])


class ReplacementOrder(Resource):
    """A component must be replaced by ``due``. It is settled once the component is no longer in use."""

    id: str
    asset_id: str
    site_id: str = Field(examples=["north"])
    name: str = Field(examples=["Drive 3"])
    type: str = Field(examples=["drive"])
    state: OrderState
    due: date
    order_by: date
    ground: Ground
    why: str
    reference: str | None = Field(examples=["PO-2026-118"])
    waived_until: date | None
    reason: str | None


def changed_order(
    order: ReplacementOrder | None, end: ComponentEnd, lead_days: int, today: date, new_id: str
) -> ReplacementOrder | None:
    """What the component's open order must be now; None when there need be none.

    A waived order stands for its end until ``waived_until``, unless the end has come nearer since.
    """
    first = end.first
    if first is None or first.on - timedelta(days=lead_days) > today:
        return None
    if order is not None and order.state == "waived":
        is_waived = order.waived_until is not None and today < order.waived_until and first.on >= order.due
        return order if is_waived else _raised(end, first, lead_days, new_id)
    if order is None:
        return _raised(end, first, lead_days, new_id)
    facts = {"due": first.on, "ground": first.ground, "order_by": first.on - timedelta(days=lead_days)}
    if all(getattr(order, name) == value for name, value in facts.items()):
        return order
    return order.model_copy(update=facts | {"why": first.why, "version": order.version + 1})


def check_decision(
    order: ReplacementOrder, state: str, waived_until: date | None, reason: str | None, today: date
) -> None:
    """Raises Conflict for an order that is settled, Malformed for a waiver without a day ahead or without a reason."""
    if order.state == "settled":
        raise Conflict("the component is no longer in use or does not end so soon; the order is settled")
    if state != "waived":
        return
    if waived_until is None or waived_until <= today:
        raise Malformed("waived_until", "must be a day ahead, from when on the order stands again", "2027-01-31")
    if reason is None:
        raise Malformed("reason", "must say why the component stays", "spare is on the shelf")


def order_by(end: Candidate, rule: Rule) -> date:
    """When an order must be raised, so that the new part is there at the end."""
    return end.on - timedelta(days=rule.lead_days)


def _raised(end: ComponentEnd, first: Candidate, lead_days: int, order_id: str) -> ReplacementOrder:
    return ReplacementOrder(
        id=order_id,
        asset_id=end.asset_id,
        site_id=end.site_id,
        name=end.name,
        type=end.type,
        state="due",
        due=first.on,
        order_by=first.on - timedelta(days=lead_days),
        ground=first.ground,
        why=first.why,
        reference=None,
        waived_until=None,
        reason=None,
        version=1,
    )
