"""What a contract must say, and whom to call for a system."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from services.inventory.contracts.domain import (
    EXAMPLE,
    Contract,
    ContractDetails,
    check_renewal,
    draft_contract,
    kept_state,
    support_for,
)
from shared.errors import Malformed
from shared.events import GROUP


def contract(contract_id: str = "c", site_id: str = "north", **changes: Any) -> Contract:
    """The contract of the example."""
    return draft_contract(contract_id, site_id, ContractDetails.model_validate(EXAMPLE | changes), 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ends": None}, "ends"),
        ({"review_on": "2027-01-01"}, "ends"),
        ({"ends": "2025-12-31"}, "ends"),
        ({"ends": None, "review_on": "2025-01-01"}, "review_on"),
        ({"escalation": []}, "escalation"),
    ],
)
def test_a_contract_has_an_end_or_a_review_and_support_has_somebody_to_call(
    changes: dict[str, Any], field: str
) -> None:
    """The refusal names the field."""
    with pytest.raises(Malformed) as refused:
        contract(**changes)
    assert refused.value.extra["errors"][0]["field"] == field


LEVEL = EXAMPLE["escalation"][1]


@pytest.mark.parametrize(
    "level",
    [
        {name: value for name, value in LEVEL.items() if name != "phone"},
        LEVEL | {"phone": "call me"},
        LEVEL | {"time_zone": "Mars/Olympus"},
        LEVEL | {"response_minutes": 0},
        LEVEL | {"response_minutes": True},
        LEVEL | {"hours": ""},
        LEVEL | {"fax": "1"},
    ],
)
def test_a_level_can_be_reached_at_hours_of_a_place(level: dict[str, Any]) -> None:
    """By phone or mail; in a zone that there is; within a time."""
    with pytest.raises(ValidationError):
        ContractDetails.model_validate(EXAMPLE | {"escalation": [level]})


def test_a_successor_is_of_the_same_kind_and_runs_longer() -> None:
    """So that no two contracts renew each other in a circle."""
    old, new = contract("old"), contract("new", ends="2030-12-31")
    check_renewal(old, new)
    for successor in (old, contract("x", ends="2028-12-31"), contract("y", kind="lease", ends="2030-12-31")):
        with pytest.raises(Malformed):
            check_renewal(old, successor)
    with pytest.raises(Malformed):
        check_renewal(new, old)


def test_history_of_the_groups_contracts_names_no_asset_of_a_site() -> None:
    """All may read it; that of a site's contract is read at the site."""
    assert kept_state(contract(site_id=GROUP)).asset_ids == []
    assert kept_state(contract()).asset_ids == EXAMPLE["asset_ids"]


def test_support_in_force_comes_first() -> None:
    """Then what else is in force, then what is over; each with its escalation path in its order."""
    known = {
        one.id: (one, "Northlight")
        for one in (
            contract("1", number="A", starts="2020-01-01", ends="2021-01-01"),
            contract("2", number="B", kind="warranty"),
            contract("3", number="C"),
        )
    }
    support = support_for("s", "north", known, date(2026, 5, 1))
    assert [one.contract_id for one in support.contracts] == ["3", "2", "1"]
    assert [level.name for level in support.contracts[0].escalation] == [
        "Northlight service desk",
        "Northlight duty manager",
    ]
    assert support.missing is None


@pytest.mark.parametrize("day", [date(2025, 12, 31), date(2029, 1, 1)])
def test_what_is_not_in_force_supports_nothing(day: date) -> None:
    """Neither before it starts nor after it ends; the answer says what to do."""
    assert "POST /inventory/v1/contracts" in str(
        support_for("s", "north", {"c": (contract(), "Northlight")}, day).missing
    )
