"""DICOM bytes, both ways: the requests an association sends, and what the peer's replies mean.

pynetdicom encodes and decodes; what its decoders raise on bad bytes becomes `BadReply` here and nowhere else.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.dimse_messages import C_ECHO_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ABORT,
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from services.probes.dicom.domain import Abort, Rejection

VERIFICATION = UID("1.2.840.10008.1.1")
CONTEXT_ID = 1
MESSAGE_ID = 1

# The largest PDU that is read. An acceptance of one context takes some hundred bytes, and P-DATA-TF keeps to
# OFFERED_LENGTH (PS3.8 Annex D.1); decoding this much takes milliseconds.
MAX_PDU_LENGTH = 64 * 1024
OFFERED_LENGTH = 16_382

HEADER_LENGTH = 6
_PDU_TYPES = range(0x01, 0x08)
_APPLICATION_CONTEXT = UID("1.2.840.10008.3.1.1.1")
_IMPLEMENTATION_UID = UID("2.25.184431296621510579866672444066199231502")
_IMPLEMENTATION_VERSION = "STEWARD"
_ECHO_RESPONSE = 0x8030
_SMALLEST_FRAGMENT = 7

# Its decoders log a traceback for each undecodable byte, and a hostile peer chooses how many of those there are.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

T = TypeVar("T")


class BadReply(Exception):
    """The peer sent what no conforming DICOM application sends; the message is a sentence's end for a person."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An A-ASSOCIATE-AC (PS3.8 §9.3.3): the peer's maximum length (0: no limit) and the result per context id."""

    maximum_length: int
    context_results: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Data:
    """A P-DATA-TF (PS3.8 §9.3.5)."""

    pdu: P_DATA_TF


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """An A-RELEASE-RQ (PS3.8 §9.3.6)."""


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    """An A-RELEASE-RP (PS3.8 §9.3.7)."""


Reply = Acceptance | Rejection | Data | ReleaseRequest | ReleaseReply | Abort


@lru_cache(maxsize=1024)
def associate_request(called_ae_title: str, calling_ae_title: str) -> bytes:
    """An A-ASSOCIATE-RQ that offers Verification alone (PS3.8 §9.3.2). Raises ValueError for an impossible AE title."""
    request = A_ASSOCIATE()
    request.application_context_name = _APPLICATION_CONTEXT
    request.called_ae_title = called_ae_title
    request.calling_ae_title = calling_ae_title
    context = build_context(VERIFICATION, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    context.context_id = CONTEXT_ID
    request.presentation_context_definition_list = [context]
    request.user_information = [_maximum_length(), _implementation_uid(), _implementation_version()]
    return A_ASSOCIATE_RQ(request).encode()


@lru_cache(maxsize=64)
def echo_request(maximum_length: int) -> bytes:
    """A C-ECHO-RQ (PS3.7 §9.3.5.1) in P-DATA-TF PDUs that keep to the peer's maximum length (PS3.8 Annex D.1)."""
    if 0 < maximum_length < _SMALLEST_FRAGMENT:
        raise BadReply(f"it takes PDUs of at most {maximum_length} bytes, into which no message fits.")
    primitive = C_ECHO()
    primitive.MessageID = MESSAGE_ID
    primitive.AffectedSOPClassUID = VERIFICATION
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    return b"".join(P_DATA_TF(part).encode() for part in message.encode_msg(CONTEXT_ID, maximum_length))


def release_request() -> bytes:
    """An A-RELEASE-RQ (PS3.8 §9.3.6)."""
    return A_RELEASE_RQ(A_RELEASE()).encode()


def abort_request() -> bytes:
    """An A-ABORT by the service-user (PS3.8 §9.3.8)."""
    primitive = A_ABORT()
    primitive.abort_source = 0
    return A_ABORT_RQ(primitive).encode()


def body_length(header: bytes) -> int:
    """The length of the body that follows a PDU's first six bytes, once type and length can be believed."""
    if header[0] not in _PDU_TYPES:
        raise BadReply(f"its answer starts with {header!r}, which is no DICOM.")
    length = int.from_bytes(header[2:HEADER_LENGTH], "big")
    if length > MAX_PDU_LENGTH:
        raise BadReply(f"it announces a PDU of {length} bytes.")
    return length


def decode_reply(pdu: bytes) -> Reply:
    """The meaning of one whole PDU from an association acceptor (PS3.8 §9.3)."""
    decoder = _DECODERS.get(pdu[0])
    if decoder is None:
        raise BadReply(f"a PDU of type {pdu[0]:02X}H is nothing an acceptor sends.")
    return _decoded(lambda: decoder(pdu))


class EchoResponse:
    """A C-ECHO-RSP in the making: it may come in any number of fragments (PS3.8 Annex E.2)."""

    def __init__(self) -> None:
        self._message = DIMSEMessage()
        self._received = 0

    def add(self, data: Data) -> int | None:
        """The DIMSE status when the response is whole, or None when more has to come."""
        self._received += HEADER_LENGTH + data.pdu.pdu_length
        if self._received > MAX_PDU_LENGTH:
            raise BadReply("its answer to the C-ECHO does not end.")
        if any(item.presentation_context_id != CONTEXT_ID for item in data.pdu.presentation_data_value_items):
            raise BadReply("it answered on a presentation context that was never proposed.")
        return _decoded(lambda: self._add(data))

    def _add(self, data: Data) -> int | None:
        if not self._message.decode_msg(data.pdu.to_primitive()):
            return None
        return _echo_status(self._message.command_set)


def _echo_status(command: Dataset) -> int:
    """The status of a C-ECHO-RSP; its Affected SOP Class UID is optional (PS3.7 §9.1.5.1.3) and not looked at."""
    if command.CommandField != _ECHO_RESPONSE:
        raise BadReply(f"it answered the C-ECHO with command {command.CommandField:04X}H.")
    if command.MessageIDBeingRespondedTo != MESSAGE_ID:
        raise BadReply("it answered a message that was never sent.")
    return int(command.Status)


def _decoded(decode: Callable[[], T]) -> T:
    try:
        return decode()
    except BadReply:
        raise
    except Exception as exc:
        raise BadReply("its answer can't be decoded.") from exc


def _acceptance(pdu: bytes) -> Acceptance:
    accepted = A_ASSOCIATE_AC()
    accepted.decode(pdu)
    user = accepted.user_information
    results = {item.context_id: item.result for item in accepted.presentation_context}
    return Acceptance(
        maximum_length=(user.maximum_length or 0) if user else 0,
        context_results={key: result for key, result in results.items() if key is not None and result is not None},
    )


def _rejection(pdu: bytes) -> Rejection:
    rejected = A_ASSOCIATE_RJ()
    rejected.decode(pdu)
    if rejected.result is None or rejected.source is None or rejected.reason_diagnostic is None:
        raise BadReply("its rejection is incomplete.")
    return Rejection(rejected.result, rejected.source, rejected.reason_diagnostic)


def _abort(pdu: bytes) -> Abort:
    abort = A_ABORT_RQ()
    abort.decode(pdu)
    if abort.source is None or abort.reason_diagnostic is None:
        raise BadReply("its abort is incomplete.")
    return Abort(abort.source, abort.reason_diagnostic)


def _data(pdu: bytes) -> Data:
    data = P_DATA_TF()
    data.decode(pdu)
    return Data(data)


_DECODERS: Mapping[int, Callable[[bytes], Reply]] = {
    0x02: _acceptance,
    0x03: _rejection,
    0x04: _data,
    0x05: lambda _: ReleaseRequest(),
    0x06: lambda _: ReleaseReply(),
    0x07: _abort,
}


def _maximum_length() -> MaximumLengthNotification:
    item = MaximumLengthNotification()
    item.maximum_length_received = OFFERED_LENGTH
    return item


def _implementation_uid() -> ImplementationClassUIDNotification:
    item = ImplementationClassUIDNotification()
    item.implementation_class_uid = _IMPLEMENTATION_UID
    return item


def _implementation_version() -> ImplementationVersionNameNotification:
    item = ImplementationVersionNameNotification()
    item.implementation_version_name = _IMPLEMENTATION_VERSION
    return item
