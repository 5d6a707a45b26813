"""The line of a life, the gates before the next step, contracts, and what falls."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.console.answers import One, Part
from services.console.assets.domain import (
    LIFE,
    Answers,
    Asset,
    AssetView,
    Contract,
    Dependent,
    Gate,
    Gates,
    Impact,
    Transition,
    Vendor,
    line_of_life,
    put_together,
)
from services.console.overview.domain import Site

NOW = datetime(2026, 3, 1, 21, 14, tzinfo=UTC)
TODAY_IN_TOKYO = date(2026, 3, 2)


def moved(from_state: str, to_state: str, days: int = 0) -> Transition:
    """A move some days ago."""
    return Transition(from_state=from_state, to_state=to_state, at=NOW - timedelta(days=days))


def view(state: str = "in_service", **known: Any) -> AssetView:
    """The page of an asset in Tokyo of which only that is known."""
    asset = Asset(id="a", site_id="tokyo", kind="system", name="Archive", state=state)
    parts: dict[str, Any] = {
        name: One() if kind.__origin__ is One else Part()
        for name, kind in Answers.__annotations__.items()
        if name != "asset"
    }
    site = One(Site(id="tokyo", name="Tokyo", time_zone="Asia/Tokyo"))
    return put_together(Answers(asset, **(parts | {"site": site} | known)), NOW)


def contract(number: str, **facts: Any) -> Contract:
    """A contract that is open-ended unless told."""
    known = {"ends": None, "review_on": None, "renewed_by": None, "let_lapse": False, "notice_days": 90}
    fixed = {"kind": "support", "vendor_id": "v", "starts": date(2020, 1, 1), "escalation": ()}
    return Contract.model_validate(fixed | known | {"number": number} | facts)


def test_a_life_has_passed_what_its_moves_tell_and_nothing_else() -> None:
    """Each with the last time that it was reached."""
    steps = line_of_life("planned", [moved("proposed", "planned", 9)])
    assert [(step.state, step.standing) for step in steps[:3]] == [
        ("proposed", "passed"),
        ("planned", "now"),
        ("procured", "ahead"),
    ]
    assert steps[1].at == NOW - timedelta(days=9)
    assert [step.standing for step in line_of_life("in_service", [])[:6]] == ["unrecorded"] * 5 + ["now"]


@pytest.mark.parametrize("aside", ["maintenance", "degraded"])
def test_what_lies_beside_the_line_stands_at_its_place(aside: str) -> None:
    """In its own name."""
    steps = line_of_life(aside, [moved("in_service", aside)])
    assert (steps[5].state, steps[5].standing, len(steps)) == (aside, "now", len(LIFE))


def test_what_went_back_into_service_has_the_rest_ahead_again() -> None:
    """Also what it had reached already."""
    steps = line_of_life("in_service", [moved("in_service", "retiring", 3), moved("retiring", "in_service", 1)])
    assert (steps[5].standing, steps[6].standing) == ("now", "ahead")


def test_a_cancelled_life_ends_beside_the_line_and_never_goes_on() -> None:
    """What it had passed stays."""
    steps = line_of_life("cancelled", [moved("proposed", "planned", 3), moved("planned", "cancelled", 1)])
    assert [step.standing for step in steps] == ["passed", "passed", *["never"] * 10, "now"]
    assert steps[-1].state == "cancelled"


@pytest.mark.parametrize(
    ("state", "offered", "first"),
    [
        ("in_service", ("maintenance", "degraded", "retiring"), "retiring"),
        ("maintenance", ("degraded", "in_service"), "in_service"),
        ("proposed", ("cancelled", "planned"), "planned"),
        ("closed", (), None),
    ],
)
def test_the_gate_to_go_straight_on_comes_first(state: str, offered: tuple[str, ...], first: str | None) -> None:
    """The others stay in their order."""
    gates = tuple(Gate(to_state=one, allowed=True, met=(), missing=()) for one in offered)
    shown = view(state, gates=One(Gates(adopted=False, policy_version=1, next=gates, debt=()))).gates
    assert [gate.to_state for gate in shown[:1]] == ([first] if first else [])
    assert {gate.to_state for gate in shown} == set(offered)


def test_a_contract_ends_by_the_calendar_of_the_site() -> None:
    """It holds on its last day; the first to end is the first to be seen; what is provided for is not."""
    yesterday = TODAY_IN_TOKYO - timedelta(days=1)
    contracts = (
        contract("open", review_on=date(2030, 1, 1)),
        contract("last day", ends=TODAY_IN_TOKYO),
        contract("over", ends=yesterday),
        contract("renewed", ends=yesterday, renewed_by="x"),
        contract("renewed soon", ends=date(2026, 3, 9), renewed_by="x"),
        contract("to come", starts=date(2026, 4, 1), ends=date(2027, 4, 1)),
    )
    shown = view(contracts=Part(contracts), vendors=Part((Vendor(id="v", name="Voltara"),))).contracts
    assert [(one.contract.number, one.standing) for one in shown] == [
        ("over", "ended"),
        ("last day", "ending"),
        ("renewed soon", "in force"),
        ("to come", "to come"),
        ("open", "in force"),
    ]
    assert {one.vendor for one in shown} == {"Voltara"}


def test_whole_systems_fall_first_and_own_parts_are_no_news() -> None:
    """A part of something else that falls is."""

    def falling(kind: str, via: str, distance: int) -> Dependent:
        return Dependent(id="x", kind=kind, name=f"{kind} {distance}", state="in_service", via=via, distance=distance)

    affected = (
        falling("node", "belongs_to", 1),
        falling("component", "powered_by", 1),
        falling("node", "belongs_to", 2),
        falling("system", "depends_on", 2),
    )
    shown = view(impact=One(Impact(affected=affected, complete=True))).falls
    assert [one.name for one in shown] == ["system 2", "node 2", "component 1"]


def test_what_may_not_be_seen_is_no_trouble_and_what_fails_is_told_once() -> None:
    """However many parts it hits."""
    lost, denied = Part[Any](trouble="Inventory does not answer"), Part[Any](trouble="no", is_denied=True)
    assert view(nodes=lost, components=lost, history=denied).troubles == ("Inventory does not answer",)
