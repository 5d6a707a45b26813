"""Storage Commitment, Push Model (PS3.4 Annex J): the request as a data set, and what a report of its outcome says."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from services.probes.dicom.dimse import (
    ACTION_TYPE,
    AFFECTED_SOP_CLASS,
    DATA_SET_TYPE,
    FIELD,
    MESSAGE_ID,
    N_ACTION,
    REQUESTED_SOP_CLASS,
    REQUESTED_SOP_INSTANCE,
    WITH_DATA,
    Message,
)
from services.probes.dicom.exchange import LARGEST_REPORT
from services.probes.dicom.instances import decode_identifier
from services.probes.dicom.pdu import BadReply

COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_COMMITMENT = 1


@dataclass(frozen=True, slots=True)
class Commitment:
    """The outcome of a request (PS3.4 §J.3.3): (SOP class, SOP instance) of each, failed ones with their reason."""

    transaction_uid: str
    committed: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str, int], ...]

    @property
    def is_complete(self) -> bool:
        """Whether the peer took responsibility for every instance."""
        return not self.failed


def request_elements(message_id: int) -> dict[int, int | str]:
    """The command set of the N-ACTION-RQ (PS3.7 §10.3.5.1)."""
    return {
        REQUESTED_SOP_CLASS: COMMITMENT_PUSH_MODEL,
        FIELD: N_ACTION,
        MESSAGE_ID: message_id,
        DATA_SET_TYPE: WITH_DATA,
        REQUESTED_SOP_INSTANCE: COMMITMENT_INSTANCE,
        ACTION_TYPE: REQUEST_COMMITMENT,
    }


def request_for(transaction_uid: str, references: Sequence[tuple[str, str]]) -> Dataset:
    """The action information of a request (PS3.4 Table J.3-1)."""
    ds = Dataset()
    ds.TransactionUID = transaction_uid
    ds.ReferencedSOPSequence = Items([_reference(*reference) for reference in references])
    return ds


def outcome_of(report: Message, transfer_syntax: str) -> Commitment:
    """What an N-EVENT-REPORT says (PS3.4 Table J.3-2). Raises BadReply for one that is about something else."""
    if report.command.text(AFFECTED_SOP_CLASS) != COMMITMENT_PUSH_MODEL:
        raise BadReply("it reports an event of something other than Storage Commitment.")
    ds = decode_identifier(report.data, transfer_syntax, LARGEST_REPORT)
    try:
        committed = tuple(_named(item) for item in ds.get("ReferencedSOPSequence") or ())
        failed = tuple((*_named(item), int(item.FailureReason)) for item in ds.get("FailedSOPSequence") or ())
        return Commitment(str(ds.TransactionUID), committed, failed)
    except (AttributeError, TypeError, ValueError) as exc:
        raise BadReply("its report on a commitment can't be read.") from exc


def _reference(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = sop_class
    item.ReferencedSOPInstanceUID = sop_instance
    return item


def _named(item: Dataset) -> tuple[str, str]:
    return str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)
