"""Storage Commitment (PS3.4 Annex J): what an archive takes responsibility for, and how it reports that."""

import threading
from collections.abc import Collection

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom.ae import ApplicationEntity
from pynetdicom.presentation import build_role

from demo.node import CLOSING

COMMITMENT = UID("1.2.840.10008.1.20.1")
COMMITMENT_INSTANCE = UID("1.2.840.10008.1.20.1.1")
ALL_HELD, SOME_MISSING = 1, 2
NO_SUCH_INSTANCE = 0x0112


def outcome(asked: Dataset, held: Collection[str]) -> Dataset:
    """The event information that answers a request (PS3.4 §J.3.3.1)."""
    report = Dataset()
    report.TransactionUID = asked.TransactionUID
    items = list(asked.ReferencedSOPSequence)
    report.ReferencedSOPSequence = Sequence([item for item in items if item.ReferencedSOPInstanceUID in held])
    missing = [item for item in items if item.ReferencedSOPInstanceUID not in held]
    for item in missing:
        item.FailureReason = NO_SUCH_INSTANCE
    if missing:
        report.FailedSOPSequence = Sequence(missing)
    return report


def report_soon(ae_title: str, destination: str, address: tuple[str, int], report: Dataset) -> None:
    """Sends the outcome over an association of its own, while the request is still being answered."""
    work = threading.Thread(target=_report, args=(ae_title, destination, address, report), daemon=True)
    work.start()


def _report(ae_title: str, destination: str, address: tuple[str, int], report: Dataset) -> None:
    entity = ApplicationEntity(ae_title)
    entity.add_requested_context(COMMITMENT)
    # It is the archive that is the SCP, though it opens this association (PS3.7 §D.3.3.4).
    role = build_role(COMMITMENT, scp_role=True)
    assoc = entity.associate(*address, ae_title=destination, ext_neg=[role], evt_handlers=CLOSING)
    if assoc.is_established:
        event_type = SOME_MISSING if "FailedSOPSequence" in report else ALL_HELD
        assoc.send_n_event_report(report, event_type, COMMITMENT, COMMITMENT_INSTANCE)
        assoc.release()
