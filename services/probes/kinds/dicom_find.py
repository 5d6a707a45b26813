"""The kind ``dicom-find``: does a node answer a query, and how fast (C-FIND, PS3.4 §C.4.1)?"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from services.probes.dicom import UNCOMPRESSED, Context, UserAgent
from services.probes.kinds.attempt import Attempt
from services.probes.kinds.dicom_nodes import DicomAsking, DicomNode, check_status, step
from services.probes.kinds.dicom_statuses import STATUS_FAILURES, printed
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.storage_classes import PATIENT_ROOT_FIND, STUDY_ROOT_FIND, WORKLIST_FIND, Uid
from services.probes.kinds.synthetic import PATIENT_ID

Model = Literal["study_root", "patient_root", "worklist"]

TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"})
"""Value representations in which every text is a value that can be sent (PS3.5 §6.2)."""

MODELS: Mapping[Model, str] = {
    "study_root": STUDY_ROOT_FIND,
    "patient_root": PATIENT_ROOT_FIND,
    "worklist": WORKLIST_FIND,
}


class DicomFindSettings(DicomNode):
    """The node and what it is asked for: one study that it has, or a query of matching keys by their DICOM keywords.

    With neither, a study or a worklist entry of the synthetic patient is asked for, which no node needs to have.
    """

    model: Model = Field("study_root", description="the information model that is asked", examples=["worklist"])
    study_uid: Uid | None = Field(None, description="a study that the node has", examples=["1.2.840.113619.2.1"])
    query: dict[str, str] | None = Field(
        None,
        min_length=1,
        max_length=20,
        description="matching keys by their DICOM keywords",
        examples=[{"StudyDate": "20260301"}],
    )
    at_least: int | None = Field(
        None, ge=0, description="matches below which it fails; by default 1 for a study, or else 0", examples=[1]
    )

    @field_validator("query")
    @classmethod
    def _are_keywords(cls, query: dict[str, str] | None) -> dict[str, str] | None:
        for keyword in query or ():
            tag = tag_for_keyword(keyword)
            if tag is None or dictionary_VR(tag) not in TEXTS:
                raise ValueError(f"{keyword!r} must be the keyword of a text attribute, for example PatientID")
        return query

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if self.study_uid is not None and (self.query is not None or self.model == "worklist"):
            raise ValueError("must have a study_uid or a query, and no study_uid for a worklist")
        return self

    @property
    def needed(self) -> int:
        """Matches below which the node fails."""
        return self.at_least if self.at_least is not None else int(self.study_uid is not None)


class DicomFind(DicomAsking[DicomFindSettings]):
    """A C-FIND over an association of its own; all its answers are read."""

    name = "dicom-find"
    summary = "Sends a C-FIND for a study or a query and reads all its answers."
    settings = DicomFindSettings
    interval = timedelta(minutes=5)
    failures: ClassVar = {**DicomAsking.failures, **STATUS_FAILURES, "not_found": "fewer matches than there must be"}
    phases: ClassVar = DicomAsking.phases | {"find", "first_answer", "final_answer"}
    measures: ClassVar = {
        "answer_seconds": Measure("s", "higher", "from the question to its final answer", 2, 5, baseline=True),
        "matches": Measure("matches", "lower", "answers that matched"),
    }

    async def ask(self, settings: DicomFindSettings, attempt: Attempt) -> Observation:
        """Asks, and counts what matches."""
        model = MODELS[settings.model]
        with step(attempt, "find"):
            async with self.associated(settings, [Context(model, UNCOMPRESSED)], attempt) as assoc:
                matches, seconds = await _read(assoc, model, query_of(settings), attempt)
            check_status(assoc.last_status, "find", "find")
        measures = {"answer_seconds": round(seconds, 6), "matches": float(matches)}
        status = printed(assoc.last_status)
        if matches < settings.needed:
            what = f"study {settings.study_uid}" if settings.study_uid else "what was asked for"
            detail = f"find: the node found {matches} of {what}; {settings.needed} at least must be there."
            return Observation("failed", "not_found", detail, status=status, measures=measures)
        detail = f"The node found {matches} and was done after {seconds:.3f} s."
        return Observation("ok", None, detail, status=status, measures=measures)


async def _read(assoc: UserAgent, model: str, query: Dataset, attempt: Attempt) -> tuple[int, float]:
    began = time.perf_counter()
    matches = 0
    async for _ in assoc.find(model, query):
        if matches == 0:
            attempt.phases["first_answer"] = round((time.perf_counter() - began) * 1000, 3)
        matches += 1
    seconds = time.perf_counter() - began
    attempt.phases["final_answer"] = round(seconds * 1000, 3)
    return matches, seconds


def query_of(settings: DicomFindSettings) -> Dataset:
    """The identifier: matching keys, and beside them the few return keys that every model has."""
    ds = Dataset()
    if settings.model == "worklist":
        ds.PatientName, ds.AccessionNumber = "", ""
        scheduled = Dataset()
        scheduled.Modality, scheduled.ScheduledStationAETitle, scheduled.ScheduledProcedureStepStartDate = "", "", ""
        ds.ScheduledProcedureStepSequence = Sequence([scheduled])
    else:
        # Patient Root has no STUDY level without its patient (PS3.4 §C.6.1.1).
        ds.QueryRetrieveLevel = "PATIENT" if settings.model == "patient_root" else "STUDY"
        if settings.model == "study_root":
            ds.StudyInstanceUID, ds.StudyDate = settings.study_uid or "", ""
    ds.PatientID = "" if settings.study_uid or settings.query else PATIENT_ID
    for keyword, value in (settings.query or {}).items():
        setattr(ds, keyword, value)
    return ds
