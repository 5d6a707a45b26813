"""Kinds over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from services.probes.conformance.dicom_conformance import OF_SUITES
from services.probes.kinds import KINDS
from services.probes.kinds.domain import Kind
from shared.http import Call, Page, requires

router = APIRouter(prefix="/v1/kinds", tags=["kinds"])


class MeasureOfKind(BaseModel):
    """A number that a kind tells, and the limits that hold where a check sets no others."""

    unit: str = Field(examples=["days"])
    worse: Literal["higher", "lower"]
    summary: str
    warning: float | None
    critical: float | None
    baseline: bool = Field(description="whether it is also judged by what was learned to be usual")


class KindOfProbe(BaseModel):
    """One kind, with the JSON Schema of its settings, the numbers it tells, and the words for what can fail."""

    name: str = Field(examples=["dicom-echo"])
    summary: str
    interval_seconds: float = Field(description="between runs, where a check sets no other", examples=[60])
    is_of_suites: bool = Field(description="whether only items of suites can be of it, and no checks")
    is_heavy: bool = Field(description="whether a system stands one of its runs at a time")
    settings: dict[str, Any]
    phases: list[str] = Field(description="what its runs take their time with, in ms", examples=[["dns", "tcp"]])
    measures: dict[str, MeasureOfKind]
    has_own_measures: bool = Field(description="whether its settings or its target name numbers besides")
    failures: dict[str, str] = Field(description="words that a result's failure may be, and what each means")


@router.get("")
async def list_kinds(call: Annotated[Call, requires("viewer")]) -> Page[KindOfProbe]:
    """What a check can ask, and what items of suites can ask besides."""
    return Page(items=[_shown(kind) for kind in (*KINDS, *OF_SUITES)], next=None)


def _shown(kind: type[Kind[Any]]) -> KindOfProbe:
    return KindOfProbe(
        name=kind.name,
        summary=kind.summary,
        interval_seconds=kind.interval.total_seconds(),
        is_of_suites=kind in OF_SUITES,
        is_heavy=kind.is_heavy,
        settings=kind.settings.model_json_schema(),
        phases=sorted(kind.phases),
        measures={
            name: MeasureOfKind(
                unit=measure.unit,
                worse=measure.worse,
                summary=measure.summary,
                warning=measure.warning,
                critical=measure.critical,
                baseline=measure.baseline,
            )
            for name, measure in kind.measures.items()
        },
        has_own_measures=kind.has_own_measures,
        failures=dict(kind.failures),
    )
