"""Availability and reliability, by hand and as properties."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kpis.availability import Account, availability_of, reliability_of

DAY = 86_400.0


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """What the results of some period may account for."""
    observed = draw(st.integers(0, 10**6))
    reachable = draw(st.integers(0, observed))
    planned = draw(st.integers(0, 10**6))
    return Account(
        observed=observed,
        reachable=reachable,
        usable=draw(st.integers(0, reachable)),
        planned=planned,
        planned_down=draw(st.integers(0, planned)),
        losses=draw(st.integers(0, 100)),
        breakdowns=draw(st.integers(0, 100)),
    )


def test_a_day_by_hand() -> None:
    """20 h seen, of them 1 h only refused and 1 h gone; 2 h of a window, half of it down; 2 h nobody looked."""
    account = Account(observed=72_000, reachable=68_400, usable=64_800, planned=7200, planned_down=3600)
    shown = availability_of(account, DAY)
    assert (shown.reachable, shown.usable) == (0.95, 0.9)
    assert (shown.planned_seconds, shown.planned_down_seconds, shown.unknown_seconds) == (7200, 3600, 7200)


def test_time_that_nobody_saw_is_unknown_and_not_down() -> None:
    """Without a result there is no share at all."""
    shown = availability_of(Account(), DAY)
    assert (shown.reachable, shown.usable, shown.unknown_seconds) == (None, None, DAY)


@pytest.mark.parametrize("hours", [167, 168, 169])
def test_weeks_in_which_clocks_change_are_as_long_as_they_are(hours: int) -> None:
    """Seen for all of its hours, the week of either change has nothing unknown and is fully available."""
    seconds = hours * 3600.0
    shown = availability_of(Account(observed=seconds, reachable=seconds, usable=seconds), seconds)
    assert (shown.unknown_seconds, shown.usable) == (0, 1)


@given(accounts(), accounts(), accounts())
def test_adjacent_periods_add_up(one: Account, other: Account, third: Account) -> None:
    """In any grouping: each second and each failure counts once."""
    assert (one + other) + third == one + (other + third)
    whole = availability_of(one + other, 4e6)
    parts = availability_of(one, 2e6), availability_of(other, 2e6)
    for name in ("observed_seconds", "reachable_seconds", "usable_seconds", "planned_seconds", "unknown_seconds"):
        assert getattr(whole, name) == sum(getattr(part, name) for part in parts)


@given(accounts(), accounts())
def test_share_of_the_whole_lies_between_those_of_its_parts(one: Account, other: Account) -> None:
    """Where all of them are known."""
    parts = [availability_of(part, 4e6).usable for part in (one, other)]
    whole = availability_of(one + other, 8e6).usable
    known = [part for part in parts if part is not None]
    if whole is not None:
        assert min(known) <= whole + 1e-12
        assert whole <= max(known) + 1e-12


@given(accounts())
def test_more_usable_time_never_lowers_a_share(account: Account) -> None:
    """Nor is anything usable that is not reachable."""
    more = replace(
        account, observed=account.observed + 60, reachable=account.reachable + 60, usable=account.usable + 60
    )
    before, after = availability_of(account, 4e6), availability_of(more, 4e6)
    assert (before.usable or 0) <= (after.usable or 0)
    assert (after.usable or 0) <= (after.reachable or 0)


def test_mean_times_by_hand() -> None:
    """Three breakdowns in 100 hours, away for 4 hours together: 32 hours between them, 80 minutes to recovery."""
    account = Account(observed=360_000, reachable=360_000, usable=345_600, breakdowns=3)
    shown = reliability_of(account)
    assert (shown.mtbf_seconds, shown.mttr_seconds) == (115_200, 4800)


def test_what_never_broke_has_no_mean_time() -> None:
    """A number would claim to know when it will."""
    shown = reliability_of(Account(observed=DAY, reachable=DAY, usable=DAY))
    assert (shown.breakdowns, shown.mtbf_seconds, shown.mttr_seconds) == (0, None, None)
