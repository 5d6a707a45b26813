"""The kind ``dicom-commitment``: does an archive take responsibility for what it stored (PS3.4 Annex J)?"""

import asyncio
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from pydantic import Field

from services.probes.dicom import COMMITMENT_PUSH_MODEL, UNCOMPRESSED, Commitment, Context, DicomFailure, UserAgent
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.dicom_nodes import DicomAsking, DicomNode, check_status, step
from services.probes.kinds.dicom_roundtrip import DicomRoundtripSettings, chosen
from services.probes.kinds.dicom_statuses import STATUS_FAILURES
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.receiver import Inbox
from services.probes.kinds.storage_classes import CT_IMAGE


class DicomCommitmentSettings(DicomNode):
    """The archive, which must know our AE title with the address at which probes listen: most answer there.

    ``answer_seconds`` is how long its answer may take. The ring is that of the kind dicom-roundtrip.
    """

    answer_seconds: float = Field(
        30, ge=1, le=3600, description="how long the archive's outcome may take", examples=[30]
    )
    ring: int = Field(16, ge=1, le=1000, description="instances that are stored again and again", examples=[16])
    renew_days: int = Field(30, ge=0, le=3650, description="days until their UIDs change; 0 for never", examples=[30])
    label: str = Field("", max_length=64, description="gives the check a study of its own", examples=["night"])


class DicomCommitment(DicomAsking[DicomCommitmentSettings]):
    """An image is stored, its commitment asked for by N-ACTION, and the N-EVENT-REPORT awaited."""

    name = "dicom-commitment"
    summary = "Stores a synthetic image, asks the archive to commit to it and waits for its answer."
    settings = DicomCommitmentSettings
    interval = timedelta(minutes=30)
    failures: ClassVar = {
        **DicomAsking.failures,
        **STATUS_FAILURES,
        "not_answered": "the archive took the request, and told no outcome of it",
        "not_committed": "the archive does not take responsibility for what it said it stored",
    }
    phases: ClassVar = DicomAsking.phases | {"store", "commitment"}
    measures: ClassVar = {
        "commitment_seconds": Measure("s", "higher", "from the request to the archive's outcome", baseline=True),
    }

    async def ask(self, settings: DicomCommitmentSettings, attempt: Attempt) -> Observation:
        """Stores, asks, and waits on the association and at our listener, whichever the archive uses."""
        ring = {"ring": settings.ring, "renew_days": settings.renew_days, "label": settings.label}
        node = DicomRoundtripSettings(host=settings.host, port=settings.port, ae_title=settings.ae_title, **ring)
        subject = chosen(node, datetime.now(UTC), secrets.randbelow(settings.ring))
        with step(attempt, "store"):
            async with self.associated(settings, [Context(CT_IMAGE, UNCOMPRESSED)], attempt) as assoc:
                status = await assoc.store(subject.ds)
            check_status(status, "store", "store")
        reference = (CT_IMAGE, subject.sop_instance)
        with step(attempt, "commitment"):
            outcome = await self._commit(settings, reference, attempt)
        return observed(outcome, reference, attempt)

    async def _commit(
        self, settings: DicomCommitmentSettings, reference: tuple[str, str], attempt: Attempt
    ) -> Commitment:
        contexts = [Context(COMMITMENT_PUSH_MODEL, UNCOMPRESSED)]
        seconds = min(settings.answer_seconds, attempt.left)
        async with (
            self.awaiting(settings) as inbox,
            self.associated(settings, contexts, attempt) as assoc,
        ):
            transaction_uid = await assoc.request_commitment([reference])
            outcome = await _first_of(assoc, inbox, transaction_uid, seconds)
        if outcome is None:
            detail = f"commitment: the archive took the request and told no outcome within {seconds:g} s."
            raise failed("not_answered", detail, {"step": "commitment"})
        return outcome


async def _first_of(assoc: UserAgent, inbox: Inbox, transaction_uid: str, seconds: float) -> Commitment | None:
    """The outcome of that transaction, by whichever way it comes first."""
    ways = [
        asyncio.create_task(_on_association(assoc, transaction_uid, seconds)),
        asyncio.create_task(_at_listener(inbox, transaction_uid)),
    ]
    try:
        async with asyncio.timeout(seconds):
            while ways:
                done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                if outcome := next((task.result() for task in done if task.result() is not None), None):
                    return outcome
                ways = [task for task in ways if task not in done]
    except TimeoutError:
        return None
    finally:
        for task in ways:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    return None


async def _on_association(assoc: UserAgent, transaction_uid: str, seconds: float) -> Commitment | None:
    """An archive that answers elsewhere may well end this association meanwhile."""
    with suppress(DicomFailure):
        while True:
            outcome = await assoc.commitment(seconds)
            if outcome.transaction_uid == transaction_uid:
                return outcome
    return None


async def _at_listener(inbox: Inbox, transaction_uid: str) -> Commitment | None:
    while True:
        outcome = await inbox.commitments.get()
        if outcome.transaction_uid == transaction_uid:
            return outcome


def observed(outcome: Commitment, reference: tuple[str, str], attempt: Attempt) -> Observation:
    """What the archive said of the one instance."""
    measures = {"commitment_seconds": round(attempt.phases["commitment"] / 1000, 6)}
    facts = {"transaction": outcome.transaction_uid}
    if reference in outcome.committed:
        return Observation("ok", None, "The archive commits to what it stored.", measures=measures, facts=facts)
    reasons = [f"0x{reason:04X}" for *_, reason in outcome.failed]
    why = f"failure reason {', '.join(reasons)}" if reasons else "it does not name the instance"
    detail = f"commitment: the archive does not commit to what it said it stored ({why})."
    return Observation("failed", "not_committed", detail, measures=measures, facts=facts)
