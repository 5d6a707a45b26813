"""Whether what was seen is what was expected: rules that hold for every observation."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.probes.kinds.domain import Observation
from services.probes.suites.expectations import Bound, Expectation, judge

NAMES = st.sampled_from(["a", "b", "c"])
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
OUTCOMES = st.sampled_from(["ok", "degraded", "failed"])
FAILURES = st.none() | st.sampled_from(["refused", "rejected_ae_title"])


@st.composite
def bounds(draw: st.DrawFn) -> Bound:
    low, high = sorted([draw(FINITE), draw(FINITE)])
    given_ = draw(st.sampled_from([(low, None), (None, high), (low, high)]))
    return Bound(minimum=given_[0], maximum=given_[1])


def observations(outcomes: st.SearchStrategy[Any]) -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        outcome=outcomes,
        failure=FAILURES,
        detail=st.just("so it was"),
        phases=st.dictionaries(NAMES, NUMBERS),
        measures=st.dictionaries(NAMES, NUMBERS),
        facts=st.dictionaries(NAMES, st.sampled_from(["x", "y"])),
    )


EXPECTATIONS = st.builds(
    Expectation,
    outcomes=st.frozensets(OUTCOMES, min_size=1),
    failure=FAILURES,
    phases=st.dictionaries(NAMES, bounds()),
    measures=st.dictionaries(NAMES, bounds()),
    facts=st.dictionaries(NAMES, st.sampled_from(["x", "y"])),
)


def lies_within(bound: Bound, value: float | None) -> bool:
    """The rule in other words than the code's."""
    if value is None or math.isnan(value):
        return False
    low = -math.inf if bound.minimum is None else bound.minimum
    high = math.inf if bound.maximum is None else bound.maximum
    return low <= value <= high


@given(EXPECTATIONS, observations(OUTCOMES))
def test_passed_is_exactly_what_meets_every_part(expectation: Expectation, seen: Observation) -> None:
    """An item passes when outcome, failure, each phase, each measure and each fact are as expected, and else fails."""
    meets = (
        seen.outcome in expectation.outcomes
        and expectation.failure in (None, seen.failure)
        and all(lies_within(bound, seen.phases.get(name)) for name, bound in expectation.phases.items())
        and all(lies_within(bound, seen.measures.get(name)) for name, bound in expectation.measures.items())
        and all(seen.facts.get(name) == text for name, text in expectation.facts.items())
    )
    judged = judge(expectation, seen)
    assert judged.verdict == ("passed" if meets else "failed")
    assert bool(judged.reasons) != meets


@given(EXPECTATIONS, observations(st.sampled_from(["probe_error", "skipped"])))
def test_what_we_could_not_see_neither_passes_nor_fails(expectation: Expectation, seen: Observation) -> None:
    """Whatever is expected."""
    assert judge(expectation, seen).verdict == "error"


@given(EXPECTATIONS, observations(OUTCOMES), NAMES, bounds())
def test_expecting_more_never_makes_a_failure_pass(
    expectation: Expectation, seen: Observation, name: str, bound: Bound
) -> None:
    """A bound more is a chance less."""
    stricter = expectation.model_copy(update={"phases": {**expectation.phases, f"more {name}": bound}})
    if judge(expectation, seen).verdict == "failed":
        assert judge(stricter, seen).verdict == "failed"


def test_each_contradiction_is_told_in_words() -> None:
    """A reader sees what was seen and what was expected."""
    expectation = Expectation(
        outcomes=frozenset({"failed"}),
        failure="rejected_ae_title",
        phases={"dimse": Bound(maximum=100)},
        measures={"bytes_per_second": Bound(minimum=1e6)},
        facts={"version": "TLSv1.3"},
    )
    seen = Observation("ok", None, "It answered.", phases={"dimse": 250.0}, facts={"version": "TLSv1.2"})
    assert judge(expectation, seen).reasons == (
        "it ended ok, failed was expected: It answered.",
        "its failure is none, rejected_ae_title was expected",
        "dimse is 250, more than 100 ms",
        "bytes_per_second was not measured",
        "version is TLSv1.2, TLSv1.3 was expected",
    )


@pytest.mark.parametrize(
    "bound", [{}, {"minimum": 2, "maximum": 1}, {"minimum": math.nan}, {"maximum": math.inf}, {"most": 1}]
)
def test_bound_that_bounds_nothing_is_refused(bound: dict[str, float]) -> None:
    """So that no expectation is met by accident."""
    with pytest.raises(ValidationError):
        Bound.model_validate(bound)
