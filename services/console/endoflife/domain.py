"""What the page of ends of life shows: budget years with what ends in them, and the orders that it takes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import BaseModel

from services.console.answers import Part, troubles_of
from services.console.assets.domain import End
from services.console.overview.domain import Site
from services.console.times import zone_of

MOST_SITES = 4
"""Named for one budget year."""


class BudgetLine(BaseModel):
    """How many components of a type end at a site in a budget year, and how many of them have ended already."""

    budget_year: int | None
    site_id: str
    type: str
    ground: str | None
    components: int
    past: int


class ComponentEnd(End):
    """The end of a component's life."""

    site_id: str
    name: str
    type: str
    ground: str | None


class Order(BaseModel):
    """A component must be replaced by ``due``, and ordered by ``order_by`` for that."""

    asset_id: str
    site_id: str
    name: str
    type: str
    state: str
    due: date
    order_by: date
    ground: str
    why: str
    reference: str | None
    waived_until: date | None
    reason: str | None


@dataclass(frozen=True)
class Chosen:
    """What the visitor wants to see: a site or all, a budget year, or with None what has ended already."""

    site_id: str | None
    first_month: int
    year: int | None
    orders: str


@dataclass(frozen=True)
class Answers:
    """All that the page is made of."""

    sites: Part[Site]
    budget: Part[BudgetLine]
    ends: Part[ComponentEnd]
    orders: Part[Order]


@dataclass(frozen=True)
class Year:
    """What ends in a budget year; in None what has no known end."""

    year: int | None
    components: int
    past: int
    grounds: tuple[tuple[str, int], ...]
    types: tuple[tuple[str, int], ...]
    sites: tuple[tuple[str, int], ...]
    more_sites: int


@dataclass(frozen=True)
class EndsView:
    """The whole page. ``past`` have ended already and are still in use."""

    sites: Mapping[str, Site]
    years: tuple[Year, ...]
    past: int
    todays: Mapping[str, date]
    today: date
    troubles: tuple[str, ...]

    def today_at(self, site_id: str) -> date:
        """The day that it is at a site."""
        return self.todays.get(site_id, self.today)

    def site_name(self, site_id: str) -> str:
        """What people call the site."""
        return self.sites[site_id].name if site_id in self.sites else site_id


def budget_year_of(day: date, first_month: int) -> int:
    """The budget year that has the day, named by the calendar year in which it ends."""
    return day.year + (first_month > 1 and day.month >= first_month)


def days_of(year: int, first_month: int) -> tuple[date, date]:
    """The first day of a budget year, and that of the next one."""
    first = year - (first_month > 1)
    return date(first, first_month, 1), date(first + 1, first_month, 1)


def days_wanted(chosen: Chosen, today: date) -> tuple[date | None, date]:
    """From which day on ends are wanted, None for any, and from which on not any more."""
    return (None, today + timedelta(days=1)) if chosen.year is None else days_of(chosen.year, chosen.first_month)


def put_together(answers: Answers, now: datetime) -> EndsView:
    """The page."""
    sites = {site.id: site for site in answers.sites.items}
    known = {line.budget_year for line in answers.budget.items}
    years = sorted(known, key=lambda year: (year is None, year))
    return EndsView(
        sites=sites,
        years=tuple(
            _year(year, [line for line in answers.budget.items if line.budget_year == year], sites) for year in years
        ),
        past=sum(line.past for line in answers.budget.items),
        todays={site.id: now.astimezone(zone_of(site.time_zone)).date() for site in sites.values()},
        today=now.date(),
        troubles=troubles_of(answers.sites, answers.budget, answers.ends, answers.orders),
    )


def _year(year: int | None, lines: list[BudgetLine], sites: Mapping[str, Site]) -> Year:
    by_site = _counted((sites[line.site_id].name if line.site_id in sites else line.site_id, line) for line in lines)
    return Year(
        year=year,
        components=sum(line.components for line in lines),
        past=sum(line.past for line in lines),
        grounds=_counted((line.ground, line) for line in lines if line.ground),
        types=_counted((line.type, line) for line in lines),
        sites=by_site[:MOST_SITES],
        more_sites=len(by_site[MOST_SITES:]),
    )


def _counted(named: Iterable[tuple[str, BudgetLine]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for name, line in named:
        counts[name] += line.components
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
