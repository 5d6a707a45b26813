"""An archive played by pynetdicom in a process of its own: in memory it stores, finds, sends and commits."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event
from pynetdicom.presentation import build_context, build_role

from tests.parts.certificates import Certificate
from tests.parts.process import Part, accepts_connections, free_port

VERIFICATION = UID("1.2.840.10008.1.1")
STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
STUDY_ROOT_GET = UID("1.2.840.10008.5.1.4.1.2.2.3")
COMMITMENT = UID("1.2.840.10008.1.20.1")
COMMITMENT_INSTANCE = UID("1.2.840.10008.1.20.1.1")
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]

NO_SUCH_INSTANCE = 0x0112


class PynetdicomArchive(Part):
    """An SCP on a free port. ``peers`` (AE title → host, port) are those it may send to and report to.

    An outcome of commitment is reported to the requestor's AE title over a new association where ``peers`` knows it,
    and otherwise over the association that asked. With ``user`` set (name, passcode), nobody else is let in; with
    ``certificate`` set it speaks TLS, and wants a certificate of its CA.
    """

    name = "pynetdicom"

    def __init__(
        self,
        directory: Path,
        ae_title: str = "PYNETDICOM",
        peers: Mapping[str, tuple[str, int]] | None = None,
        user: tuple[str, str] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        super().__init__(directory)
        self.ae_title = ae_title
        self.port = free_port()
        files = [str(certificate.chain), str(certificate.key), str(certificate.ca)] if certificate else None
        self._settings = {"ae_title": ae_title, "port": self.port, "peers": peers or {}, "user": user, "tls": files}

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "tests.parts.pynetdicom_archive", json.dumps(self._settings)]

    def answers(self) -> bool:
        return accepts_connections(self.port)


class Served:
    """What the process does."""

    def __init__(self, ae_title: str, peers: Mapping[str, tuple[str, int]], user: tuple[str, str] | None) -> None:
        self.ae_title = ae_title
        self._peers = peers
        self._user = user
        self._instances: dict[str, Dataset] = {}

    def serve(self, port: int, tls: Sequence[str] | None) -> None:
        """Listens until the process is ended."""
        entity = ApplicationEntity(self.ae_title)
        entity.require_called_aet = True
        for uid in (VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET, COMMITMENT):
            entity.add_supported_context(uid, SYNTAXES)
        for uid in (CTImageStorage, SecondaryCaptureImageStorage):
            entity.add_supported_context(uid, SYNTAXES, scu_role=True, scp_role=True)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_N_ACTION, self._commit),
            (evt.EVT_USER_ID, self._identify),
        ]
        context = secured(*tls) if tls else None
        entity.start_server(("127.0.0.1", port), evt_handlers=handlers, ssl_context=context)

    def _identify(self, event: Event) -> tuple[bool, bytes | None]:
        item: Any = event.assoc.requestor.user_identity
        given = (item.primary_field.decode(), item.secondary_field.decode())
        return self._user is None or given == tuple(self._user), None

    def _store(self, event: Event) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        self._instances[str(ds.SOPInstanceUID)] = ds
        return 0x0000

    def _matching(self, query: Dataset) -> list[Dataset]:
        return [ds for ds in self._instances.values() if ds.StudyInstanceUID == query.StudyInstanceUID]

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        for uid in sorted({str(ds.StudyInstanceUID) for ds in self._matching(event.identifier)}):
            answer = Dataset()
            answer.QueryRetrieveLevel = "STUDY"
            answer.StudyInstanceUID = uid
            yield 0xFF00, answer

    def _get(self, event: Event) -> Iterator[Any]:
        found = self._matching(event.identifier)
        yield len(found)
        for ds in found:
            yield 0xFF00, ds

    def _move(self, event: Event) -> Iterator[Any]:
        address = self._peers.get(event.move_destination or "")
        if address is None:
            yield None, None
            return
        contexts = [build_context(CTImageStorage, syntax) for syntax in SYNTAXES]
        yield (*address, {"ae_title": event.move_destination, "contexts": contexts})
        yield from self._get(event)

    def _commit(self, event: Event) -> tuple[int, None]:
        asked = event.action_information
        report = Dataset()
        report.TransactionUID = asked.TransactionUID
        asked_for = list(asked.ReferencedSOPSequence)
        held = [item for item in asked_for if item.ReferencedSOPInstanceUID in self._instances]
        report.ReferencedSOPSequence = Items(held)
        report.FailedSOPSequence = Items([_failed(item) for item in asked_for if item not in held])
        caller = str(event.assoc.requestor.ae_title).strip()
        how = self._report_to if caller in self._peers else self._report_here
        # The outcome follows the answer to the request, which is sent when this returns.
        threading.Timer(0.1, how, (event.assoc, report, 1 if len(held) == len(asked_for) else 2)).start()
        return 0x0000, None

    def _report_here(self, assoc: Any, report: Dataset, event_type: int) -> None:
        assoc.send_n_event_report(report, event_type, COMMITMENT, COMMITMENT_INSTANCE)

    def _report_to(self, assoc: Any, report: Dataset, event_type: int) -> None:
        address = self._peers[str(assoc.requestor.ae_title).strip()]
        entity = ApplicationEntity(self.ae_title)
        entity.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scp_role=True)
        own = entity.associate(*address, ae_title=assoc.requestor.ae_title, ext_neg=[role])
        if own.is_established:
            self._report_here(own, report, event_type)
            own.release()


def secured(chain: str, key: str, ca: str) -> ssl.SSLContext:
    """A server's context that wants a certificate from its callers."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(chain, key)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _failed(item: Dataset) -> Dataset:
    failed = Dataset()
    failed.ReferencedSOPClassUID = item.ReferencedSOPClassUID
    failed.ReferencedSOPInstanceUID = item.ReferencedSOPInstanceUID
    failed.FailureReason = NO_SUCH_INSTANCE
    return failed


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    Served(given["ae_title"], given["peers"], given["user"]).serve(given["port"], given["tls"])
