"""The kind ``dicom-roundtrip``: does an archive give back what it took in? Store → find → retrieve → compare.

A success response can lie, so what was stored is read back and its content compared.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

from pydantic import Field
from pydicom.dataset import Dataset

from services.probes.dicom import UNCOMPRESSED, Context, Encoded, UserAgent
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.comparing import COMPARING_FAILURES, COMPRESSED, Compared, WhenLossy, compare
from services.probes.kinds.dicom_nodes import AeTitle, DicomAsking, DicomNode, check_status, step
from services.probes.kinds.dicom_statuses import STATUS_FAILURES, meaning, printed
from services.probes.kinds.domain import Measure, Observation
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
    label: str = Field("", max_length=64, description="gives the check a study of its own", examples=["night"])


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
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(query, keyword, getattr(self.ds, keyword))
        return query


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
    }

    async def ask(self, settings: DicomRoundtripSettings, attempt: Attempt) -> Observation:
        """One instance through all steps."""
        subject = chosen(settings, datetime.now(UTC), secrets.randbelow(settings.ring))
        stored = await self._store(settings, subject, attempt)
        await self._find(settings, subject, attempt)
        way, encoded = await self._retrieve(settings, subject, attempt)
        facts = {
            "retrieve": way,
            "sop_instance": subject.sop_instance,
            "transfer_syntax": encoded.transfer_syntax,
        }
        measures = {"roundtrip_seconds": attempt.seconds}
        with step(attempt, "compare"):
            compared = await compare(subject.ds, encoded.decoded(), settings.lossy)
        if compared.sha256:
            facts["sha256"] = compared.sha256
        outcome, failure, detail = told(stored, compared)
        return Observation(outcome, failure, detail, status=printed(stored), measures=measures, facts=facts)

    async def _store(self, settings: DicomRoundtripSettings, subject: Subject, attempt: Attempt) -> int:
        with step(attempt, "store"):
            async with self.associated(
                settings, [Context(str(subject.ds.SOPClassUID), UNCOMPRESSED)], attempt
            ) as assoc:
                status = await assoc.store(subject.ds)
            check_status(status, "store", "store")
            return status

    async def _find(self, settings: DicomRoundtripSettings, subject: Subject, attempt: Attempt) -> None:
        with step(attempt, "find"):
            async with self.associated(settings, [Context(STUDY_ROOT_FIND, UNCOMPRESSED)], attempt) as assoc:
                until = time.monotonic() + settings.settle_seconds
                while not (found := await _is_found(assoc, subject)) and time.monotonic() < until:
                    await asyncio.sleep(ASK_AGAIN_SECONDS)
        if not found:
            raise failed(
                "not_found",
                f"find: the archive said that it stored the instance, and does not find it after "
                f"{settings.settle_seconds:g} s.",
                {"step": "find"},
            )

    async def _retrieve(
        self, settings: DicomRoundtripSettings, subject: Subject, attempt: Attempt
    ) -> tuple[Way, Encoded]:
        with step(attempt, "retrieve"):
            if settings.retrieve != "move":
                encoded = await self._get(settings, subject, attempt)
                if encoded is not None:
                    return "get", encoded
            return "move", await self._move(settings, subject, attempt)

    async def _get(self, settings: DicomRoundtripSettings, subject: Subject, attempt: Attempt) -> Encoded | None:
        """What C-GET brings; None where it may be done otherwise because the archive has no C-GET."""
        kept = contexts_of(subject, settings.as_stored)
        async with self.associated(settings, [Context(STUDY_ROOT_GET, UNCOMPRESSED), *kept], attempt) as assoc:
            if not has_get(assoc):
                if settings.retrieve == "auto":
                    return None
                raise failed("context_rejected", "retrieve: the archive has no C-GET.", {"step": "retrieve"})
            brought = [encoded async for encoded in assoc.get(STUDY_ROOT_GET, subject.query)]
        check_status(assoc.last_status, "get", "retrieve")
        for encoded in brought:
            if encoded.sop_instance == subject.sop_instance:
                return encoded
        raise _nothing_came("over the association")

    async def _move(self, settings: DicomRoundtripSettings, subject: Subject, attempt: Attempt) -> Encoded:
        destination = settings.destination or self.caller(settings)
        async with self.awaiting(settings) as inbox:
            async with self.associated(settings, [Context(STUDY_ROOT_MOVE, UNCOMPRESSED)], attempt) as assoc:
                statuses = [one.status async for one in assoc.move(STUDY_ROOT_MOVE, subject.query, destination)]
            check_status(statuses[-1], "move", "retrieve")
            async for encoded in arriving(inbox, min(ARRIVAL_SECONDS, attempt.left)):
                if encoded.sop_instance == subject.sop_instance:
                    return encoded
        raise _nothing_came(f"to {destination}, which must be us, at port {self.receiver.port}")


def chosen(settings: DicomRoundtripSettings, now: datetime, place: int) -> Subject:
    """The instance at that place of the ring."""
    study_uid = uid_of("study", settings.ae_title, settings.object, settings.label)
    instance_uid = uid_of("instance", study_uid, term_of(now, settings.renew_days), place)
    make = ct_image if settings.object == "ct" else text_report
    return Subject(make(study_uid, instance_uid, place + 1))


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


def _nothing_came(where: str) -> Exception:
    detail = f"retrieve: the archive said that it sent the instance, and it did not come {where}."
    return failed("not_retrieved", detail, {"step": "retrieve"})
