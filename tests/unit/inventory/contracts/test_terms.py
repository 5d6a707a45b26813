"""When a contract's end is told, by the calendar of its site."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.contracts.domain import Contract, ContractDetails, draft_contract
from services.inventory.contracts.terms import OpenAlert, Stage, first_instant, local_day, settle, stage_on

AT = datetime(2026, 1, 1, tzinfo=UTC)
ENDS = date(2026, 12, 31)


def contract(**changes: Any) -> Contract:
    """A business associate agreement of 2026 that is told 90 days ahead."""
    known: dict[str, Any] = {
        "kind": "business_associate",
        "vendor_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b20",
        "number": "BAA-7",
        "starts": "2026-01-01",
        "ends": "2026-12-31",
    }
    return draft_contract("c", "north", ContractDetails.model_validate(known | changes), 1)


def alert(stage: Stage, term: date = ENDS) -> OpenAlert:
    """An alert that was raised."""
    return OpenAlert(stage, term, f"alert-{stage}-{term}", "Agreement", AT)


def test_a_contract_holds_through_its_last_day() -> None:
    """It is told from the day that lies so many days ahead, and has ended on the day after the last."""
    stages = {day: stage_on(contract(), day) for day in (date(2026, 10, 1), date(2026, 10, 2), ENDS, date(2027, 1, 1))}
    assert list(stages.values()) == [None, "ending", "ending", "ended"]
    assert contract().holds_on(ENDS)
    assert not contract().holds_on(date(2027, 1, 1))


def test_a_review_is_due_on_its_day() -> None:
    """An open-ended contract goes on holding; that it is looked at is told as an end is."""
    open_ended = contract(ends=None, review_on="2026-12-31")
    assert [stage_on(open_ended, ENDS - timedelta(days=n)) for n in (91, 90, 1, 0)] == [
        None,
        "ending",
        "ending",
        "ended",
    ]
    assert open_ended.holds_on(date(2030, 1, 1))


@pytest.mark.parametrize(
    "change", [{"let_lapse": True}, {"renewed_by": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b21"}, {"ends": "2029-12-31"}]
)
def test_whoever_provides_for_the_end_hears_no_more_of_it(change: dict[str, Any]) -> None:
    """A later end, a contract that takes its place, the word that it may lapse: what is open is over."""
    told = [alert("ending"), alert("ended")]
    settled = settle(contract(**change), told, date(2027, 1, 5))
    assert (list(settled.over), settled.due) == (told, None)


def test_the_end_is_told_beside_what_came_before_it() -> None:
    """Both alerts stay open; each is raised once."""
    after = date(2027, 1, 1)
    assert settle(contract(), [], ENDS) == settle(contract(), [], date(2026, 10, 2))
    assert settle(contract(), [], ENDS).due == "ending"
    assert settle(contract(), [alert("ending")], ENDS).due is None
    assert settle(contract(), [alert("ending")], after).due == "ended"
    assert settle(contract(), [], after).due == "ended"
    settled = settle(contract(), [alert("ending"), alert("ended")], after)
    assert (list(settled.over), settled.due) == ([], None)


def test_a_renewal_that_is_itself_short_is_told_anew() -> None:
    """The old alert is over, and one for the new end takes its place."""
    renewed = contract(ends="2027-01-31")
    settled = settle(renewed, [alert("ending"), alert("ended")], date(2027, 1, 2))
    assert ([one.stage for one in settled.over], settled.due) == (["ending", "ended"], "ending")


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 10, 26), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        ("America/Santiago", date(2026, 9, 6), datetime(2026, 9, 6, 4, tzinfo=UTC)),
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("Pacific/Kiritimati", date(2026, 12, 31), datetime(2026, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_its_place(zone: str, day: date, begins: datetime) -> None:
    """Also where the clocks are set at midnight, and the day has no 00:00."""
    assert first_instant(day, zone) == begins
    assert local_day(begins, zone) == day
    assert local_day(begins - timedelta(seconds=1), zone) == day - timedelta(days=1)


ZONES = sorted(available_timezones() - {"localtime"})


@given(st.sampled_from(ZONES), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_the_first_instant_of_a_day_lies_on_it(zone: str, day: date) -> None:
    """In every zone; a day that a place has left out (Samoa, 2011) begins with the next."""
    begins = first_instant(day, zone)
    assert local_day(begins, zone) in (day, day + timedelta(days=1))
    assert begins.astimezone(ZoneInfo(zone)) >= datetime.combine(day, datetime.min.time(), ZoneInfo(zone))


@given(
    st.lists(
        st.one_of(
            st.integers(1, 400).map(lambda days: ("wait", days)),
            st.integers(1, 900).map(lambda days: ("renew", days)),
            st.booleans().map(lambda lapse: ("lapse", int(lapse))),
        ),
        max_size=12,
    ),
    st.integers(0, 200),
)
def test_whatever_happens_the_open_alerts_say_how_it_stands(steps: list[tuple[str, int]], notice: int) -> None:
    """After each step no stage has two alerts, all are about the present end, and settling again changes nothing."""
    today, known, alerts = date(2026, 1, 1), contract(notice_days=notice), list[OpenAlert]()
    for what, number in steps:
        if what == "wait":
            today += timedelta(days=number)
        elif what == "renew":
            known = known.model_copy(update={"ends": known.term + timedelta(days=number)})
        else:
            known = known.model_copy(update={"let_lapse": bool(number)})
        settled = settle(known, alerts, today)
        alerts = [one for one in alerts if one not in settled.over]
        alerts += [alert(settled.due, known.term)] if settled.due else []
        stage = stage_on(known, today)
        assert {one.term for one in alerts} <= {known.term}
        assert len({one.stage for one in alerts}) == len(alerts)
        assert bool(alerts) == (stage is not None)
        assert stage is None or stage in {one.stage for one in alerts}
        again = settle(known, alerts, today)
        assert (list(again.over), again.due) == ([], None)
