"""What is expected of an item of a suite, and whether an observation meets it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from services.probes.kinds.domain import Observation
from shared.events.probes import Verdict
from shared.resource import Body

Expected = Literal["ok", "degraded", "failed"]


class Bound(Body):
    """From where to where a number may lie, both included."""

    minimum: float | None = Field(None, allow_inf_nan=False)
    maximum: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.minimum is None and self.maximum is None:
            raise ValueError("must have a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("must not have a minimum above its maximum")
        return self

    def fault(self, value: float | None) -> str | None:
        """Why the number does not lie within, or None. A number that is not one lies nowhere."""
        if value is None:
            return "was not measured"
        if self.minimum is not None and not value >= self.minimum:
            return f"is {value:g}, less than {self.minimum:g}"
        if self.maximum is not None and not value <= self.maximum:
            return f"is {value:g}, more than {self.maximum:g}"
        return None


class Expectation(Body):
    """What must be seen. ``failure`` is the failure that is expected, such as that of a caller who must be rejected.

    ``phases`` (milliseconds) and ``measures`` must lie within bounds, ``facts`` must read exactly so.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"outcomes": ["failed"], "failure": "rejected_ae_title"}]},
    )

    outcomes: frozenset[Expected] = Field(frozenset({"ok"}), min_length=1)
    failure: str | None = Field(None, max_length=100)
    phases: dict[str, Bound] = Field(default_factory=dict, max_length=20)
    measures: dict[str, Bound] = Field(default_factory=dict, max_length=20)
    facts: dict[str, str] = Field(default_factory=dict, max_length=20)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an expectation was met; ``reasons`` are sentences' ends, none where it was."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


def judge(expectation: Expectation, observation: Observation) -> Judgement:
    """Passed when nothing contradicts what is expected. What our own probe could not see is an error, never either."""
    if observation.outcome in ("probe_error", "skipped"):
        return Judgement("error", (observation.detail,))
    reasons = tuple(_contradictions(expectation, observation))
    return Judgement("failed" if reasons else "passed", reasons)


def _contradictions(expectation: Expectation, observation: Observation) -> Iterator[str]:
    expected = " or ".join(sorted(expectation.outcomes))
    if observation.outcome not in expectation.outcomes:
        yield f"it ended {observation.outcome}, {expected} was expected: {observation.detail}"
    if expectation.failure is not None and observation.failure != expectation.failure:
        yield f"its failure is {observation.failure or 'none'}, {expectation.failure} was expected"
    yield from _out_of_bounds(expectation.phases, observation.phases, " ms")
    yield from _out_of_bounds(expectation.measures, observation.measures, "")
    for name, text in expectation.facts.items():
        if observation.facts.get(name) != text:
            yield f"{name} is {observation.facts.get(name, 'not told')}, {text} was expected"


def _out_of_bounds(bounds: Mapping[str, Bound], seen: Mapping[str, float], unit: str) -> Iterator[str]:
    for name, bound in bounds.items():
        if fault := bound.fault(seen.get(name)):
            yield f"{name} {fault}{unit if name in seen else ''}"
