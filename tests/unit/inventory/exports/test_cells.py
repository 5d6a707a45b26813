"""Cells: what is written is read back, nothing is carried out, and what could mean two things is refused."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.exports.cells import COMPUTED, MAX_CELL, CellKind, Column, read_cell, write_cell
from shared.errors import Malformed

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
VALUES: dict[CellKind, st.SearchStrategy[Any]] = {
    "text": TEXT,
    "integer": st.integers(-(10**18), 10**18),
    "decimal": st.floats(-1e300, 1e300, allow_subnormal=False),
    "day": st.dates(date(1970, 1, 1), date(2199, 12, 31)),
    "moment": st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- hypothesis wants naive bounds
    "flag": st.booleans(),
    "list": st.lists(TEXT, min_size=1),
    "json": st.dictionaries(st.text(), st.integers() | st.text() | st.none()) | st.lists(st.text(), min_size=1),
}


@given(st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])))
def test_what_is_written_is_read_back(given_value: tuple[CellKind, Any]) -> None:
    """Whatever a text looks like; and no cell begins as a formula does, unless it is a number."""
    kind, value = given_value
    cell = write_cell(kind, value)
    assert read_cell(Column("x", "1", kind), cell) == value
    assert not cell.startswith(COMPUTED) or kind in ("integer", "decimal")


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("text", "+49 30 555 01-23", "+49 30 555 01-23"),
        ("text", "'=1", "=1"),
        ("text", "'tis", "'tis"),
        ("text", "''=1", "'=1"),
        ("text", "'-", "-"),
        ("text", "-", None),
        ("list", "-", []),
        ("list", "a| b |a\\|b|", ["a", "b", "a|b"]),
        ("integer", "104.0", 104),
        ("decimal", "1,5", 1.5),
        ("decimal", "-0,25", -0.25),
        ("decimal", "1.234", 1.234),
        ("day", "2026-03-04", date(2026, 3, 4)),
        ("day", "31.03.2026", date(2026, 3, 31)),
        ("day", "3.3.2026", date(2026, 3, 3)),
        ("flag", "Yes", True),
    ],
)
def test_cells_as_people_write_them(kind: CellKind, cell: str, value: Any) -> None:
    """Decimal commas, days first where that is sure, telephone numbers, texts behind a quote."""
    assert read_cell(Column("x", "1", kind), cell) == value


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("text", "=1+1", "must not begin like a formula"),
        ("text", "@SUM(A1)", "must not begin like a formula"),
        ("text", "+A1", "must not begin like a formula"),
        ("text", "-1+cmd|' /C calc'!A0", "must not begin like a formula"),
        ("text", "x" * (MAX_CELL + 1), "at most"),
        ("integer", "1.000,5", "a whole number"),
        ("integer", "١", "a whole number"),
        ("decimal", "1,234", "could be thousands"),
        ("decimal", "1.234,5", "must be a number"),
        ("decimal", "nan", "must be a number"),
        ("day", "03.04.2026", "could be two dates"),
        ("day", "03/04/2026", "must be a date"),
        ("day", "31.02.2026", "that the calendar has"),
        ("day", "46000", "must be a date"),
        ("moment", "2026-03-01T10:00:00", "offset"),
        ("flag", "maybe", "must be one of"),
        ("json", "{", "must be JSON"),
        ("json", "[" * 30_000, "must be JSON"),
    ],
)
def test_what_could_mean_two_things_is_refused(kind: CellKind, cell: str, said: str) -> None:
    """With the column, the rule and an example."""
    with pytest.raises(Malformed, match=said) as refused:
        read_cell(Column("x", "an example", kind), cell)
    assert refused.value.extra["errors"][0]["example"] == "an example"
