"""The kind ``dicom-roundtrip``: does an archive give back what it took in? Store → find → retrieve → compare.

A success response can lie, so what was stored is read back and its content compared.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydicom.dataset import Dataset

from services.probes.dicom import UNCOMPRESSED, Context, Encoded, UserAgent, encode
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.comparing import COMPARING_FAILURES, COMPRESSED, Compared, WhenLossy, compare
from services.probes.kinds.dicom_nodes import AeTitle, DicomAsking, DicomNode, check_status, step
from services.probes.kinds.dicom_statuses import STATUS_FAILURES, meaning, printed
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.rates import rate_measures, rates
from services.probes.kinds.receiver import Inbox
from services.probes.kinds.storage_classes import (
    BASIC_TEXT_SR,
    CT_IMAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from services.probes.kinds.synthetic import ct_image, term_of, text_report, uid_of
from shared.events.probes import Outcome

Way = Literal["auto", "get", "move"]
Thing = Literal["ct", "sr"]

SOP_CLASSES: Mapping[Thing, str] = {"ct": CT_IMAGE, "sr": BASIC_TEXT_SR}
ASK_AGAIN_SECONDS = 0.25
ARRIVAL_SECONDS = 5.0


class DicomRoundtripSettings(DicomNode):
    """The archive, and how what it was given is fetched back.

    ``auto`` fetches by C-GET, or by C-MOVE where the archive has no C-GET. For C-MOVE the archive must know
    ``destination``, by default our AE title, with the address at which probes listen.

    The synthetic study is always the same, and its instances come from a ring of ``ring`` UIDs, so that the archive
    doesn't grow. A UID stands for one content, so an archive that loses what it already has goes unnoticed until the
    UIDs change, after ``renew_days`` (0: never). ``label`` gives a check a study of its own.
    """

    object: Thing = Field("ct", description="what is stored: an image (`ct`) or a report (`sr`)", examples=["sr"])
    retrieve: Way = Field("auto", description="by C-GET or C-MOVE; `auto` moves where there is no C-GET")
    destination: AeTitle | None = Field(
        None, description="where a C-MOVE sends; by default to our AE title", examples=["STEWARD"]
    )
    ring: int = Field(16, ge=1, le=1000, description="instances that are stored again and again", examples=[16])
    renew_days: int = Field(30, ge=0, le=3650, description="days until their UIDs change; 0 for never", examples=[30])
    settle_seconds: float = Field(
        5, ge=0, le=300, description="how long it may take until what is stored is found", examples=[60]
    )
    as_stored: bool = Field(
        True, description="whether an image may come back compressed, as the archive keeps it; it is decoded here"
    )
    lossy: WhenLossy = Field(
        "degraded", description="outcome when it comes back by a lossy compression", examples=["failed"]
    )
    images: int = Field(
        1, ge=1, le=64, description="instances of one run; rates of many tell more than those of one", examples=[20]
    )
    image_size: int = Field(
        128, ge=16, le=2048, description="rows and columns of an image, which has 2 bytes a pixel", examples=[512]
    )
    label: str = Field("", max_length=64, description="gives the check a study of its own", examples=["night"])

    @model_validator(mode="after")
    def _fits_the_ring(self) -> Self:
        if self.images > self.ring:
            raise ValueError(f"images must be at most ring, which is {self.ring}; for example images 10 and ring 20")
        return self


@dataclass(frozen=True)
class Subject:
    """What is stored, and how it is asked for."""

    ds: Dataset

    @property
    def sop_instance(self) -> str:
        """Its SOP Instance UID."""
        return str(self.ds.SOPInstanceUID)

    @property
    def query(self) -> Dataset:
        """The identifier of this one instance (PS3.4 §C.6.2.1)."""
        return query_of([self])


@dataclass(frozen=True)
class Brought:
    """What came back, in the order in which it was stored, and in how many seconds from the question."""

    way: Way
    instances: Sequence[Encoded]
    seconds: float


class DicomRoundtrip(DicomAsking[DicomRoundtripSettings]):
    """Each step has an association of its own; the first that fails is named."""

    name = "dicom-roundtrip"
    summary = "Stores a synthetic instance, finds it, retrieves it and compares what came back."
    settings = DicomRoundtripSettings
    interval = timedelta(minutes=30)
    failures: ClassVar = {
        **DicomAsking.failures,
        **STATUS_FAILURES,
        "not_found": "the archive said that it stored the instance, and does not find it",
        "not_retrieved": "the archive said that it sent the instance, and nothing came",
        **COMPARING_FAILURES,
    }
    phases: ClassVar = DicomAsking.phases | {"store", "find", "retrieve", "compare"}
    measures: ClassVar = {
        "roundtrip_seconds": Measure("s", "higher", "from the first connection to the last byte", baseline=True),
        **rate_measures("store", "from the first C-STORE to the last answer"),
        **rate_measures("retrieve", "from the C-GET or C-MOVE to the last image"),
    }

    async def ask(self, settings: DicomRoundtripSettings, attempt: Attempt) -> Observation:
        """The instances of one run through all steps."""
        first, now = secrets.randbelow(settings.ring), datetime.now(UTC)
        places = [(first + number) % settings.ring for number in range(settings.images)]
        subjects = [chosen(settings, now, place) for place in places]
        stored, measures = await self._store(settings, subjects, attempt)
        await self._find(settings, subjects, attempt)
        with step(attempt, "retrieve"):
            brought = await self._retrieve(settings, subjects, attempt)
        measures |= rates("retrieve", len(subjects), sum(len(one.data) for one in brought.instances), brought.seconds)
        measures["roundtrip_seconds"] = attempt.seconds
        facts = {
            "retrieve": brought.way,
            "sop_instance": subjects[0].sop_instance,
            "transfer_syntax": brought.instances[0].transfer_syntax,
        }
        with step(attempt, "compare"):
            compared = await worst_of(subjects, brought, settings.lossy)
        if compared.sha256:
            facts["sha256"] = compared.sha256
        outcome, failure, detail = told(stored, compared)
        return Observation(outcome, failure, detail, status=printed(stored), measures=measures, facts=facts)

    async def _store(
        self, settings: DicomRoundtripSettings, subjects: Sequence[Subject], attempt: Attempt
    ) -> tuple[int, dict[str, float]]:
        """The status of the first instance, or of the first that is not success; and the rates."""
        with step(attempt, "store"):
            contexts = [Context(str(subjects[0].ds.SOPClassUID), UNCOMPRESSED)]
            async with self.associated(settings, contexts, attempt) as assoc:
                encoded = [encode(subject.ds, [assoc.contexts[0].transfer_syntax or ""]) for subject in subjects]
                began = time.perf_counter()
                statuses = [status async for status in assoc.store_each(encoded)]
                seconds = time.perf_counter() - began
            for status in statuses:
                check_status(status, "store", "store")
        told = next((status for status in statuses if status), statuses[0])
        return told, rates("store", len(encoded), sum(len(one.data) for one in encoded), seconds)

    async def _find(self, settings: DicomRoundtripSettings, subjects: Sequence[Subject], attempt: Attempt) -> None:
        with step(attempt, "find"):
            async with self.associated(settings, [Context(STUDY_ROOT_FIND, UNCOMPRESSED)], attempt) as assoc:
                until = time.monotonic() + settings.settle_seconds
                for subject in subjects:
                    while not await _is_found(assoc, subject):
                        if time.monotonic() >= until:
                            raise _not_found(settings.settle_seconds)
                        await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _retrieve(
        self, settings: DicomRoundtripSettings, subjects: Sequence[Subject], attempt: Attempt
    ) -> Brought:
        if settings.retrieve != "move":
            brought = await self._get(settings, subjects, attempt)
            if brought is not None:
                return brought
        return await self._move(settings, subjects, attempt)

    async def _get(
        self, settings: DicomRoundtripSettings, subjects: Sequence[Subject], attempt: Attempt
    ) -> Brought | None:
        """What C-GET brings; None where it may be done otherwise because the archive has no C-GET."""
        kept = contexts_of(subjects[0], settings.as_stored)
        async with self.associated(settings, [Context(STUDY_ROOT_GET, UNCOMPRESSED), *kept], attempt) as assoc:
            if not has_get(assoc):
                if settings.retrieve == "auto":
                    return None
                raise failed("context_rejected", "retrieve: the archive has no C-GET.", {"step": "retrieve"})
            began = time.perf_counter()
            came = {one.sop_instance: one async for one in assoc.get(STUDY_ROOT_GET, query_of(subjects))}
            seconds = time.perf_counter() - began
        check_status(assoc.last_status, "get", "retrieve")
        return brought_of("get", subjects, came, seconds, "over the association")

    async def _move(self, settings: DicomRoundtripSettings, subjects: Sequence[Subject], attempt: Attempt) -> Brought:
        destination = settings.destination or self.caller(settings)
        came: dict[str, Encoded] = {}
        async with self.awaiting(settings) as inbox:
            async with self.associated(settings, [Context(STUDY_ROOT_MOVE, UNCOMPRESSED)], attempt) as assoc:
                began = time.perf_counter()
                statuses = [one.status async for one in assoc.move(STUDY_ROOT_MOVE, query_of(subjects), destination)]
                seconds = time.perf_counter() - began
            check_status(statuses[-1], "move", "retrieve")
            async for encoded in arriving(inbox, min(ARRIVAL_SECONDS, attempt.left)):
                came[encoded.sop_instance] = encoded
                if all(subject.sop_instance in came for subject in subjects):
                    break
        where = f"to {destination}, which must be us, at port {self.receiver.port}"
        return brought_of("move", subjects, came, seconds, where)


def chosen(settings: DicomRoundtripSettings, now: datetime, place: int) -> Subject:
    """The instance at that place of the ring."""
    study_uid = uid_of("study", settings.ae_title, settings.object, settings.label, settings.image_size)
    instance_uid = uid_of("instance", study_uid, term_of(now, settings.renew_days), place)
    if settings.object == "ct":
        return Subject(ct_image(study_uid, instance_uid, place + 1, settings.image_size))
    return Subject(text_report(study_uid, instance_uid, place + 1))


def query_of(subjects: Sequence[Subject]) -> Dataset:
    """The identifier of these instances, which are of one series (PS3.4 §C.4.2.2.1, §C.6.2.1)."""
    query, ds = Dataset(), subjects[0].ds
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID, query.SeriesInstanceUID = ds.StudyInstanceUID, ds.SeriesInstanceUID
    uids = [subject.sop_instance for subject in subjects]
    query.SOPInstanceUID = uids[0] if len(uids) == 1 else uids
    return query


def brought_of(
    way: Way, subjects: Sequence[Subject], came: Mapping[str, Encoded], seconds: float, where: str
) -> Brought:
    """What came of these. Raises Ended where one is missing."""
    if any(subject.sop_instance not in came for subject in subjects):
        detail = f"retrieve: the archive said that it sent what was stored, and it did not come {where}."
        raise failed("not_retrieved", detail, {"step": "retrieve"})
    return Brought(way, [came[subject.sop_instance] for subject in subjects], seconds)


async def worst_of(subjects: Sequence[Subject], brought: Brought, when_lossy: WhenLossy) -> Compared:
    """The first instance that is not unchanged, or the first of all. Raises Ended for one that is altered."""
    found = [
        await compare(subject.ds, encoded.decoded(), when_lossy)
        for subject, encoded in zip(subjects, brought.instances, strict=True)
    ]
    return next((one for one in found if not one.sha256), found[0])


def contexts_of(subject: Subject, as_stored: bool) -> list[Context]:
    """In which transfer syntaxes it may come back, in a context each, so that the archive can choose."""
    sop_class = str(subject.ds.SOPClassUID)
    compressed = COMPRESSED if as_stored and "PixelData" in subject.ds else ()
    syntaxes = (UNCOMPRESSED, *((syntax,) for syntax in compressed))
    return [Context(sop_class, one, as_scp=True) for one in syntaxes]


def told(stored: int, compared: Compared) -> tuple[Outcome, str | None, str]:
    """Outcome, failure and detail of both ends: the status of the C-STORE, and what came back."""
    judged = meaning(stored, "store")
    if judged.failure is None:
        return compared.outcome, compared.failure, compared.detail
    detail = f"store: the archive answered {printed(stored)}: {judged.text}. {compared.detail}"
    if compared.failure is None:
        return judged.outcome, judged.failure, detail
    return compared.outcome, compared.failure, detail


def has_get(assoc: UserAgent) -> bool:
    """Whether the archive takes C-GET, and us as the one who keeps what it brings (PS3.7 §D.3.3.4)."""
    accepted = [context for context in assoc.contexts if context.is_accepted]
    return any(context.abstract_syntax == STUDY_ROOT_GET for context in accepted) and any(
        context.as_scp for context in accepted
    )


async def arriving(inbox: Inbox, seconds: float) -> AsyncIterator[Encoded]:
    """The instances that come, until none has come for ``seconds``."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                received = await inbox.instances.get()
        except TimeoutError:
            return
        yield received.encoded


async def _is_found(assoc: UserAgent, subject: Subject) -> bool:
    found = [ds async for ds in assoc.find(STUDY_ROOT_FIND, subject.query)]
    check_status(assoc.last_status, "find", "find")
    return any(ds.get("SOPInstanceUID") == subject.sop_instance for ds in found)


def _not_found(seconds: float) -> Exception:
    detail = f"find: the archive said that it stored the instance, and does not find it after {seconds:g} s."
    return failed("not_found", detail, {"step": "find"})
