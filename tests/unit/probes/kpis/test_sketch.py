"""Percentiles from bins: within 1 % of the true ones, whatever the values and however they were split."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kpis.sketch import RELATIVE_ERROR, SMALLEST, Values, bin_of, merged, middle_of, quantile

REAL = st.floats(-1e15, 1e15).filter(lambda value: value == 0 or abs(value) > SMALLEST)
ROUNDING = 1e-9


def binned(values: list[float]) -> dict[int, int]:
    """The bins of these values."""
    return merged(*({bin_of(value): 1} for value in values))


@given(REAL)
def test_middle_of_a_bin_is_near_each_of_its_values(value: float) -> None:
    """Within the stated relative error, which is below 1 %."""
    assert RELATIVE_ERROR < 0.01
    assert middle_of(bin_of(value)) == pytest.approx(value, rel=RELATIVE_ERROR + ROUNDING, abs=SMALLEST)


@given(REAL, REAL)
def test_bins_sort_as_their_values_do(one: float, other: float) -> None:
    """So a rank among the bins is a rank among the values."""
    low, high = sorted((one, other))
    assert bin_of(low) <= bin_of(high)


@given(st.lists(REAL, min_size=1), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_percentile_is_within_one_percent(values: list[float], share: float) -> None:
    """Of the value of that rank."""
    true = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert quantile(binned(values), share) == pytest.approx(true, rel=RELATIVE_ERROR + ROUNDING, abs=SMALLEST)


@given(st.lists(st.lists(REAL), max_size=6))
def test_bins_of_parts_add_up_to_those_of_the_whole(parts: list[list[float]]) -> None:
    """Whatever belongs to which part."""
    assert merged(*map(binned, parts)) == binned([value for part in parts for value in part])


@given(st.lists(REAL, min_size=1))
def test_higher_percentiles_are_not_lower(values: list[float]) -> None:
    """Nor beyond the least and the greatest."""
    known = Values(len(values), sum(values), min(values), max(values), binned(values))
    found = [known.quantile(share) for share in (0.01, 0.5, 0.95, 0.99)]
    assert found == sorted(found, key=lambda value: value or 0.0)
    assert all(value is not None and min(values) <= value <= max(values) for value in found)


def test_nothing_has_no_percentile() -> None:
    """And no mean."""
    nothing = Values(0, 0.0, None, None, {})
    assert (nothing.quantile(0.5), nothing.mean) == (None, None)
