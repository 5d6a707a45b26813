"""The kind ``dicom-conformance``: which SOP classes and transfer syntaxes does a node take (PS3.8 §7.1.1)?

It is no kind for a schedule: suites run it and keep the matrix.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from services.probes.conformance.domain import UNANSWERED, Cell, Negotiated, Profile, Proposal, cell, proposals, spread
from services.probes.dicom import Context
from services.probes.kinds.attempt import Attempt
from services.probes.kinds.dicom_nodes import DicomAsking, DicomNode, step
from services.probes.kinds.domain import Kind, Measure, Observation

SHOWN = 3


class ConformanceSettings(DicomNode, Profile):
    """The node, and what it is asked for."""


class DicomConformance(DicomAsking[ConformanceSettings]):
    """Associations that only negotiate: each proposal in a context of its own, at most 128 in one association."""

    name = "dicom-conformance"
    summary = "Asks the node for SOP classes in transfer syntaxes, sends nothing, and tells which ones it takes."
    settings = ConformanceSettings
    interval = timedelta(days=1)
    failures: ClassVar = {**DicomAsking.failures, "conformance": "the node refuses what is needed of it"}
    measures: ClassVar = {
        "accepted": Measure("pairs", "lower", "SOP classes in transfer syntaxes that the node takes"),
        "refused": Measure("pairs", "higher", "SOP classes in transfer syntaxes that it refuses"),
        "missing": Measure("pairs", "higher", "refused ones that are needed"),
    }

    async def ask(self, settings: ConformanceSettings, attempt: Attempt) -> Observation:
        """Negotiates all of the profile; a node that refuses an association altogether is judged as by an echo."""
        cells: list[Cell] = []
        with step(attempt, "negotiation"):
            for part in spread(proposals(settings)):
                cells += await self._negotiate(settings, part, attempt)
        return observed(cells, settings.ae_title, self.caller(settings))

    async def _negotiate(self, settings: ConformanceSettings, part: Sequence[Proposal], attempt: Attempt) -> list[Cell]:
        contexts = [Context(one.sop_class, (one.transfer_syntax,)) for one in part]
        async with self.negotiated(settings, contexts, attempt) as assoc:
            # Context ids are the odd numbers from 1 in the order of the proposals (PS3.8 §9.3.2.2).
            results = {(context.id - 1) // 2: context.result for context in assoc.contexts}
        return [cell(one, results.get(place, UNANSWERED)) for place, one in enumerate(part)]


OF_SUITES: tuple[type[Kind[Any]], ...] = (DicomConformance,)
"""Kinds that items of suites can have and checks can't: what comes of them is not for a schedule."""


def observed(cells: Sequence[Cell], ae_title: str, calling_ae_title: str) -> Negotiated:
    """What all answers together say."""
    missing = [one for one in cells if one.is_missing]
    accepted = sum(one.accepted for one in cells)
    return Negotiated(
        outcome="failed" if missing else "ok",
        failure="conformance" if missing else None,
        detail=_detail(cells, missing),
        measures={"accepted": accepted, "refused": len(cells) - accepted, "missing": len(missing)},
        cells=tuple(cells),
        ae_title=ae_title,
        calling_ae_title=calling_ae_title,
    )


def _detail(cells: Sequence[Cell], missing: Sequence[Cell]) -> str:
    if not missing:
        needed = sum(one.needed for one in cells)
        return f"The node takes all {needed} SOP classes in transfer syntaxes that are needed."
    shown = "; ".join(f"{one.sop_class_name} in {one.transfer_syntax_name} ({one.why})" for one in missing[:SHOWN])
    more = f"; and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return f"The node refuses what is needed of it: {shown}{more}."
