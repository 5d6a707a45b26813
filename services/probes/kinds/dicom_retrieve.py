"""The kind ``dicom-retrieve``: how fast does an archive deliver a whole study (C-GET or C-MOVE, PS3.4 §C.4)?"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import Field
from pydicom.dataset import Dataset

from services.probes.dicom import UNCOMPRESSED, Context, Encoded, UserAgent
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.dicom_nodes import AeTitle, DicomAsking, DicomNode, check_status, step
from services.probes.kinds.dicom_roundtrip import ARRIVAL_SECONDS, Way, arriving, has_get
from services.probes.kinds.dicom_statuses import STATUS_FAILURES
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.storage_classes import (
    CT_IMAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    USUAL,
    Modality,
    Uid,
    classes_of,
)
from services.probes.kinds.synthetic import ct_image, series_of, uid_of

IMAGE_SIZE = 512
HOW_MANY = "NumberOfStudyRelatedInstances"


class DicomRetrieveSettings(DicomNode):
    """The archive, and the study that it delivers: always the same, so that the times compare.

    Without ``study_uid`` it is a synthetic study of ``images`` CT images of 512 KiB, which is stored first where the
    archive lacks it. ``modalities`` are those whose images may come; all transfer syntaxes of ``transfer_syntaxes``
    are offered for each.
    """

    study_uid: Uid | None = Field(
        None, description="a study of 50 to 100 MB that the archive has", examples=["1.2.840.113619.2.1"]
    )
    images: int = Field(100, ge=1, le=400, description="images of the synthetic study, 512 KiB each", examples=[100])
    retrieve: Way = Field("auto", description="by C-GET or C-MOVE; `auto` moves where there is no C-GET")
    destination: AeTitle | None = Field(
        None, description="where a C-MOVE sends; by default to our AE title", examples=["STEWARD"]
    )
    modalities: tuple[Modality, ...] = Field(
        USUAL, min_length=1, description="whose images may come by C-GET", examples=[["CT"]]
    )
    transfer_syntaxes: tuple[Uid, ...] = Field(
        UNCOMPRESSED,
        min_length=1,
        max_length=20,
        description="in which they may come by C-GET",
        examples=[["1.2.840.10008.1.2.1"]],
    )


@dataclass
class Delivered:
    """What has come so far. Seconds count from when it was asked for."""

    way: Way
    began: float
    instances: int = 0
    bytes: int = 0
    first_seconds: float = 0.0
    last_seconds: float = 0.0

    def add(self, encoded: Encoded) -> None:
        """Counts one instance."""
        self.last_seconds = time.perf_counter() - self.began
        if not self.instances:
            self.first_seconds = self.last_seconds
        self.instances += 1
        self.bytes += len(encoded.data)


class DicomRetrieve(DicomAsking[DicomRetrieveSettings]):
    """A whole study, counted as it comes and kept nowhere."""

    name = "dicom-retrieve"
    summary = "Retrieves a fixed study and tells how many bytes a second came."
    settings = DicomRetrieveSettings
    interval = timedelta(hours=1)
    is_heavy = True
    failures: ClassVar = {
        **DicomAsking.failures,
        **STATUS_FAILURES,
        "not_found": "the archive does not have the study",
        "not_retrieved": "the archive said that it sent the study, and nothing came",
        "incomplete": "fewer images came than the archive says it has",
    }
    phases: ClassVar = DicomAsking.phases | {"prepare", "find", "retrieve", "first_image"}
    measures: ClassVar = {
        "bytes_per_second": Measure("B/s", "lower", "from the question to the last image", baseline=True),
        "instances_per_second": Measure("images/s", "lower", "from the question to the last image", baseline=True),
        "retrieve_seconds": Measure("s", "higher", "from the question to the last image", critical=60, baseline=True),
        "first_image_seconds": Measure("s", "higher", "from the question to the first image", baseline=True),
        "bytes": Measure("B", "lower", "what came"),
        "instances": Measure("images", "lower", "how many came"),
    }

    async def ask(self, settings: DicomRetrieveSettings, attempt: Attempt) -> Observation:
        """Retrieves the study once; it is stored before that where it is synthetic and not whole."""
        study_uid = settings.study_uid or uid_of("study", settings.ae_title, "retrieve", settings.images)
        expected = await self._count(settings, study_uid, attempt)
        if settings.study_uid is None and expected < settings.images:
            await self._store(settings, study_uid, attempt)
            expected = settings.images
        if expected == 0:
            raise failed("not_found", f"find: the archive does not have study {study_uid}.", {"step": "find"})
        with step(attempt, "retrieve"):
            delivered = await self._retrieve(settings, study_of(study_uid), attempt)
        return observed(delivered, expected, study_uid, attempt)

    async def _count(self, settings: DicomRetrieveSettings, study_uid: str, attempt: Attempt) -> int:
        """How many images the archive says it has of the study.

        Where it does not tell, those of the synthetic study are counted; another one has at least one.
        """
        with step(attempt, "find"):
            async with self.associated(settings, [Context(STUDY_ROOT_FIND, UNCOMPRESSED)], attempt) as assoc:
                query = study_of(study_uid)
                query.NumberOfStudyRelatedInstances = None
                found = [ds for ds in await _found(assoc, query) if ds.get("StudyInstanceUID") == study_uid]
                told = [count for ds in found if (count := told_of(ds)) is not None]
                if found and not told and settings.study_uid is None:
                    return len(await _found(assoc, images_of(study_uid)))
        return max(told, default=len(found))

    async def _store(self, settings: DicomRetrieveSettings, study_uid: str, attempt: Attempt) -> None:
        with step(attempt, "prepare"):
            async with self.associated(settings, [Context(CT_IMAGE, UNCOMPRESSED)], attempt) as assoc:
                for number in range(1, settings.images + 1):
                    ds = ct_image(study_uid, uid_of("instance", study_uid, number), number, IMAGE_SIZE)
                    check_status(await assoc.store(ds), "store", "prepare")

    async def _retrieve(self, settings: DicomRetrieveSettings, query: Dataset, attempt: Attempt) -> Delivered:
        if settings.retrieve != "move":
            delivered = await self._get(settings, query, attempt)
            if delivered is not None:
                return delivered
        return await self._move(settings, query, attempt)

    async def _get(self, settings: DicomRetrieveSettings, query: Dataset, attempt: Attempt) -> Delivered | None:
        kept = [Context(one, settings.transfer_syntaxes, as_scp=True) for one in classes_of(settings.modalities)]
        async with self.associated(settings, [Context(STUDY_ROOT_GET, UNCOMPRESSED), *kept], attempt) as assoc:
            if not has_get(assoc):
                if settings.retrieve == "auto":
                    return None
                raise failed("context_rejected", "retrieve: the archive has no C-GET.", {"step": "retrieve"})
            delivered = Delivered("get", time.perf_counter())
            async for encoded in assoc.get(STUDY_ROOT_GET, query):
                delivered.add(encoded)
        check_status(assoc.last_status, "get", "retrieve")
        return delivered

    async def _move(self, settings: DicomRetrieveSettings, query: Dataset, attempt: Attempt) -> Delivered:
        destination = settings.destination or self.caller(settings)
        async with self.awaiting(settings) as inbox:
            coming = arriving(inbox, ARRIVAL_SECONDS)
            async with self.associated(settings, [Context(STUDY_ROOT_MOVE, UNCOMPRESSED)], attempt) as assoc:
                delivered = Delivered("move", time.perf_counter())
                async for progress in assoc.move(STUDY_ROOT_MOVE, query, destination):
                    await _take(coming, delivered, progress.sub_operations.completed or 0)
                    status = progress.status
            check_status(status, "move", "retrieve")
            await _take(coming, delivered, 1 if not delivered.instances else 0)
        return delivered


async def _found(assoc: UserAgent, query: Dataset) -> list[Dataset]:
    found = [ds async for ds in assoc.find(STUDY_ROOT_FIND, query)]
    check_status(assoc.last_status, "find", "find")
    return found


async def _take(coming: AsyncIterator[Encoded], delivered: Delivered, until: int) -> None:
    """Counts what comes until so many have come: the archive says so, so they must have been sent."""
    while delivered.instances < until:
        try:
            delivered.add(await anext(coming))
        except StopAsyncIteration:
            return


def study_of(study_uid: str) -> Dataset:
    """The identifier of a study (PS3.4 §C.6.2.1)."""
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study_uid
    return query


def images_of(study_uid: str) -> Dataset:
    """The identifier of all images of a synthetic study, which is one series."""
    query = study_of(study_uid)
    query.QueryRetrieveLevel, query.SeriesInstanceUID, query.SOPInstanceUID = "IMAGE", series_of(study_uid, "CT"), ""
    return query


def told_of(ds: Dataset) -> int | None:
    """How many images an answer says that the study has; None where it says nothing that is a number."""
    try:
        return int(ds[HOW_MANY].value)
    except (KeyError, TypeError, ValueError):
        return None


def observed(delivered: Delivered, expected: int, study_uid: str, attempt: Attempt) -> Observation:
    """What came, against what the archive says it has."""
    if not delivered.instances:
        raise failed("not_retrieved", "retrieve: the archive said that it sent the study, and nothing came.")
    seconds = max(delivered.last_seconds, 1e-6)
    attempt.phases["first_image"] = round(delivered.first_seconds * 1000, 3)
    measures = {
        "bytes_per_second": round(delivered.bytes / seconds, 1),
        "instances_per_second": round(delivered.instances / seconds, 3),
        "retrieve_seconds": round(seconds, 6),
        "first_image_seconds": round(delivered.first_seconds, 6),
        "bytes": float(delivered.bytes),
        "instances": float(delivered.instances),
    }
    facts = {"retrieve": delivered.way, "study": study_uid}
    told = f"{delivered.instances} images, {delivered.bytes / 1e6:.1f} MB, came in {seconds:.2f} s by C-"
    told += f"{delivered.way.upper()}."
    if delivered.instances < expected:
        detail = f"retrieve: the archive says that it has {expected} images; {told}"
        return Observation("failed", "incomplete", detail, measures=measures, facts=facts)
    return Observation("ok", None, told, measures=measures, facts=facts)
