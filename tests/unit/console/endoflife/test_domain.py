"""Budget years: which days they have, and what is counted in them."""

from datetime import UTC, date, datetime

import pytest

from services.console.answers import Part
from services.console.endoflife.domain import (
    Answers,
    BudgetLine,
    Chosen,
    budget_year_of,
    days_of,
    days_wanted,
    put_together,
)
from services.console.overview.domain import Site

NOW = datetime(2026, 3, 1, 21, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first_month", "day", "year"),
    [(1, date(2026, 12, 31), 2026), (10, date(2026, 9, 30), 2026), (10, date(2026, 10, 1), 2027)],
)
def test_a_budget_year_is_named_by_the_year_in_which_it_ends(first_month: int, day: date, year: int) -> None:
    """And has all its days, the first and the last too."""
    assert budget_year_of(day, first_month) == year
    first, following = days_of(year, first_month)
    assert first <= day < following
    assert budget_year_of(first, first_month) == year
    assert budget_year_of(following, first_month) == year + 1


def test_what_has_ended_is_wanted_up_to_today() -> None:
    """Today included: what ends today has ended."""
    chosen = Chosen(site_id=None, first_month=1, year=None, orders="due")
    assert days_wanted(chosen, date(2026, 12, 31)) == (None, date(2027, 1, 1))


def test_a_year_counts_by_ground_type_and_site_the_most_first() -> None:
    """Of many sites the largest are named; the unknown end comes last."""
    lines = [
        BudgetLine(budget_year=2027, site_id=f"s{n}", type="drive", ground="age", components=n, past=1)
        for n in range(1, 7)
    ]
    other = BudgetLine(budget_year=2027, site_id="s6", type="server", ground="support", components=40, past=0)
    unknown = BudgetLine(budget_year=None, site_id="s6", type="port", ground=None, components=3, past=0)
    sites = Part((Site(id="s6", name="Tokyo", time_zone="Asia/Tokyo"),))
    view = put_together(Answers(sites, Part((unknown, *lines, other)), Part(), Part()), NOW)
    year, last = view.years
    assert (year.year, year.components, year.past, view.past) == (2027, 61, 6, 6)
    assert (year.grounds, year.types) == ((("support", 40), ("age", 21)), (("server", 40), ("drive", 21)))
    assert (year.sites, year.more_sites) == ((("Tokyo", 46), ("s5", 5), ("s4", 4), ("s3", 3)), 2)
    assert (last.year, last.components, last.grounds) == (None, 3, ())


def test_today_is_that_of_each_site() -> None:
    """Where a site is not known, that of UTC."""
    sites = Part((Site(id="s6", name="Tokyo", time_zone="Asia/Tokyo"),))
    view = put_together(Answers(sites, Part(), Part(), Part()), NOW)
    assert (view.today_at("s6"), view.today_at("elsewhere")) == (date(2026, 3, 2), date(2026, 3, 1))
    assert (view.site_name("s6"), view.site_name("elsewhere")) == ("Tokyo", "elsewhere")
