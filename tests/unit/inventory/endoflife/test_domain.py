"""When a component ends, and which order that calls for."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.endoflife.domain import (
    RULES,
    Candidate,
    ComponentEnd,
    Facts,
    ReplacementOrder,
    Rule,
    Usage,
    UsageLimit,
    changed_order,
    check_decision,
    end_of_life,
    months_after,
    reaches,
)
from services.inventory.vendors.domain import SupportEndsOn, SupportNotAnnounced, SupportUnknown
from shared.errors import Conflict, Malformed

TODAY = date(2026, 11, 22)
DRIVE = RULES["drive"]
days = st.dates(date(1990, 1, 1), date(2060, 12, 31))


def usage(counter: str = "power_on_hours", value: float = 30_000, on: date = TODAY, began: date | None = None) -> Usage:
    """A reading."""
    return Usage(counter=counter, value=value, on=on, began=began)


def end_on(day: date) -> ComponentEnd:
    """A component that ends on a day."""
    first = Candidate(on=day, ground="age", why="bought long ago")
    return ComponentEnd(
        candidates=[first],
        unknown=[],
        asset_id="a",
        site_id="north",
        name="Drive 3",
        type="drive",
        on=day,
        ground="age",
        order_by=None,
    )


def raised(day: date) -> ReplacementOrder:
    """The order of a component that ends on a day, within its lead time."""
    order = changed_order(None, end_on(day), 90, day, "first")
    assert order is not None
    return order


def test_a_drive_is_replaced_by_five_years_after_its_purchase() -> None:
    """The built-in rule of age."""
    end = end_of_life(Facts(type="drive", purchase_date=date(2024, 3, 31)), DRIVE, TODAY)
    assert [(found.on, found.ground) for found in end.candidates] == [(date(2029, 3, 31), "age")]


def test_a_drive_that_runs_day_and_night_ends_before_its_age_says() -> None:
    """30,000 hours in three years come to 43,800 some sixteen months later."""
    used = usage(began=TODAY - timedelta(days=1095))
    end = end_of_life(Facts(type="drive", purchase_date=TODAY - timedelta(days=1095), usage=(used,)), DRIVE, TODAY)
    assert [found.ground for found in end.candidates] == ["usage", "age"]
    assert end.first is not None
    assert end.first.on == TODAY + timedelta(days=503)


def test_a_worn_out_drive_has_ended_on_the_day_of_its_reading() -> None:
    """What is at its limit needs no pace."""
    assert reaches(usage("wear_percent", 93, TODAY), 90) == TODAY


@pytest.mark.parametrize("began", [None, TODAY, TODAY - timedelta(days=13)])
def test_a_short_time_tells_no_pace(began: date | None) -> None:
    """A counter is carried forward once it has run for two weeks."""
    assert reaches(usage(value=300, began=began), 43_800) is None


def test_a_support_end_that_is_not_announced_is_not_unknown() -> None:
    """The vendor has said that it supports the product; nothing is left to ask."""
    asked = end_of_life(
        Facts(type="software", support=SupportNotAnnounced(source="their web page", stated_on=TODAY)), Rule(), TODAY
    )
    unasked = end_of_life(Facts(type="software"), Rule(), TODAY)
    assert (asked.first, asked.unknown) == (None, [])
    assert (unasked.first, unasked.unknown) == (None, ["support"])


def test_an_advisory_without_a_fix_ends_it_today() -> None:
    """Whatever its age."""
    facts = Facts(type="server", purchase_date=TODAY, unfixed_advisories=("ICSMA-26-001-01",))
    first = end_of_life(facts, RULES["server"], TODAY).first
    assert first is not None
    assert (first.on, first.ground) == (TODAY, "advisory")


@given(
    purchase=st.none() | days,
    ends=st.none() | days,
    value=st.floats(0, 1e6),
    began=st.none() | days,
    months=st.none() | st.integers(1, 600),
)
def test_the_first_candidate_is_the_earliest_day(
    purchase: date | None, ends: date | None, value: float, began: date | None, months: int | None
) -> None:
    """Whatever is known, the end is the minimum of what it says; none is left out."""
    rule = Rule(max_age_months=months, usage=(UsageLimit(counter="hours", limit=1000),))
    support = SupportEndsOn(on=ends, source="LN-1", stated_on=TODAY) if ends else SupportUnknown()
    used = usage("hours", value, TODAY, began)
    end = end_of_life(Facts(type="x", purchase_date=purchase, usage=(used,), support=support), rule, TODAY)
    due = {ends, reaches(used, 1000), months_after(purchase, months) if purchase and months else None} - {None}
    assert {found.on for found in end.candidates} == due
    assert end.first is None or end.first.on == min(day for day in due if day)


@given(days, st.integers(0, 600))
def test_months_later_is_the_same_day_or_the_months_last(day: date, months: int) -> None:
    """31 January and a month are 28 or 29 February."""
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(("ahead", "is_raised"), [(91, False), (90, True), (0, True), (-400, True)])
def test_an_order_is_raised_ahead_by_the_lead_time(ahead: int, is_raised: bool) -> None:
    """From ninety days before the end on, for ever."""
    order = changed_order(None, end_on(TODAY + timedelta(days=ahead)), 90, TODAY, "new")
    assert (order is not None) is is_raised


def test_an_order_stays_as_it_is_while_nothing_changes() -> None:
    """Looking again raises no other."""
    order = raised(TODAY)
    assert changed_order(order, end_on(TODAY), 90, TODAY, "new") is order


def test_an_order_follows_an_end_that_comes_nearer() -> None:
    """It is the same order, with another day, also where it was placed already."""
    placed = raised(TODAY + timedelta(days=80)).model_copy(update={"state": "ordered", "reference": "PO-1"})
    moved = changed_order(placed, end_on(TODAY), 90, TODAY, "new")
    assert moved is not None
    assert (moved.id, moved.due, moved.state, moved.version) == ("first", TODAY, "ordered", 2)


def test_an_order_is_no_longer_wanted_when_the_end_moves_away() -> None:
    """Somebody has corrected the purchase date."""
    assert changed_order(raised(TODAY), end_on(TODAY + timedelta(days=400)), 90, TODAY, "new") is None


def test_a_waived_order_stands_again_when_its_time_is_over_or_the_end_comes_nearer() -> None:
    """Until then no other is raised."""
    until = TODAY + timedelta(days=30)
    waived = raised(TODAY).model_copy(update={"state": "waived", "waived_until": until})
    assert changed_order(waived, end_on(TODAY), 90, TODAY, "new") is waived
    for end, today in ((TODAY, until), (TODAY - timedelta(days=1), TODAY)):
        anew = changed_order(waived, end_on(end), 90, today, "new")
        assert anew is not None
        assert (anew.id, anew.state) == ("new", "due")


def test_a_waiver_needs_a_day_ahead_and_a_reason() -> None:
    """The refusal names the field."""
    order = raised(TODAY)
    with pytest.raises(Malformed, match="waived_until"):
        check_decision(order, "waived", TODAY, "spare on the shelf", TODAY)
    with pytest.raises(Malformed, match="reason"):
        check_decision(order, "waived", TODAY + timedelta(days=1), None, TODAY)


def test_a_settled_order_is_not_decided_any_more() -> None:
    """Its component is gone."""
    with pytest.raises(Conflict):
        check_decision(raised(TODAY).model_copy(update={"state": "settled"}), "ordered", None, None, TODAY)
