"""The approved list: which versions and names an entry holds for."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from services.inventory.software.approval import ApprovedList, is_in_range, parse_pattern, parse_range


@dataclass(frozen=True)
class Entry:
    """An entry of a list."""

    name: str
    versions: str | None = None
    software_type: str | None = None


@dataclass(frozen=True)
class Found:
    """Software of an asset."""

    name: str
    version: str | None = "1"
    type: str = "application"


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=16, <18", ["16", "16.4", "17.9.1"], ["15.9", "18", "18.1"]),
        ("5.2", ["5.2", "5.2.0", "v5.2"], ["5.2.1", "5"]),
        ("!=2.17.0", ["2.16", "2.17.1"], ["2.17.0", "2.17"]),
        ("<=5.2 SP1", ["5.2", "5.2 SP1"], ["5.3"]),
        (">1.0", ["1.1", "2"], ["1", "1.0.0", "1.0-rc1"]),
    ],
)
def test_range_holds_for_versions_as_vendors_write_them(text: str, inside: list[str], outside: list[str]) -> None:
    """By the order of versions, not of characters."""
    spelled = parse_range(text)
    assert all(is_in_range(version, spelled) for version in inside)
    assert not any(is_in_range(version, spelled) for version in [*outside, None])
    assert parse_range(spelled) == spelled


@pytest.mark.parametrize("text", ["", ">=", "1,,2", ">=1 <", "=>1", "a" * 201, "<>3"])
def test_range_that_is_none_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(PydanticCustomError):
        parse_range(text)


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_a_range_or_refused(text: str, version: str) -> None:
    """And one that was taken can be asked about any version."""
    try:
        spelled = parse_range(text)
    except PydanticCustomError:
        return
    assert is_in_range(version, spelled) in (True, False)


def test_entry_holds_by_name_type_and_version() -> None:
    """Upper and lower case are the same, and * stands for any text."""
    listed = ApprovedList.of(
        [Entry("PostgreSQL*", ">=16"), Entry("7-Zip"), Entry("*", software_type="library"), Entry("a.c")]
    )
    assert listed.approves(Found("postgresql server", "16.2"))
    assert not listed.approves(Found("PostgreSQL", "15"))
    assert listed.approves(Found("7-zip", None))
    assert listed.approves(Found("anything", type="library"))
    assert not listed.approves(Found("anything"))
    assert not listed.approves(Found("abc"))
    assert not ApprovedList.of([]).approves(Found("7-Zip"))


def test_pattern_that_takes_long_is_refused() -> None:
    """At most two stars."""
    assert parse_pattern("*agent*") == "*agent*"
    with pytest.raises(PydanticCustomError):
        parse_pattern("*a*b*")
