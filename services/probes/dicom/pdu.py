"""The PDUs of the DICOM upper layer (PS3.8 §9.3), apart from those that negotiate: their bytes, both ways."""

import struct
from collections.abc import Iterator

from services.probes.dicom.domain import Abort, DicomFailure, Rejection

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(0x01, 0x08)
NAMES = {
    ASSOCIATE_RQ: "A-ASSOCIATE-RQ",
    ASSOCIATE_AC: "A-ASSOCIATE-AC",
    ASSOCIATE_RJ: "A-ASSOCIATE-RJ",
    P_DATA_TF: "P-DATA-TF",
    RELEASE_RQ: "A-RELEASE-RQ",
    RELEASE_RP: "A-RELEASE-RP",
    ABORT: "A-ABORT",
}

# The maximum length we offer (PS3.8 Annex D.1), and the most that is read or sent as one PDU; 128 KiB is DCMTK's own.
OFFERED_LENGTH = 131_072
HEADER_LENGTH = 6

COMMAND, LAST = 0x01, 0x02

# An association takes a few hundred bytes, with 128 contexts some kilobytes; a rejection, release or abort takes four.
_LARGEST = {ASSOCIATE_RQ: 65_536, ASSOCIATE_AC: 65_536, P_DATA_TF: OFFERED_LENGTH}
_LARGEST_OTHER = 64
_VALUE_HEADER_LENGTH = 6
_FEWEST_VALUE_BYTES = 1

_header = struct.Struct(">BxI")
_value = struct.Struct(">IBB")
_data = struct.Struct(">BxIIBB")


class BadReply(DicomFailure):
    """The peer sent what no conforming DICOM application sends; the fault is a sentence's end for a person."""

    def __init__(self, fault: str) -> None:
        super().__init__("protocol", f"The peer broke the DICOM protocol: {fault}", phase="dimse")


def release_request() -> bytes:
    """An A-RELEASE-RQ (PS3.8 §9.3.6)."""
    return bytes((RELEASE_RQ, 0, 0, 0, 0, 4, 0, 0, 0, 0))


def release_reply() -> bytes:
    """An A-RELEASE-RP (PS3.8 §9.3.7)."""
    return bytes((RELEASE_RP, 0, 0, 0, 0, 4, 0, 0, 0, 0))


def abort_request(source: int = 0, reason: int = 0) -> bytes:
    """An A-ABORT, by default of the service-user (PS3.8 §9.3.8)."""
    return bytes((ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason))


def rejection_reply(rejection: Rejection) -> bytes:
    """An A-ASSOCIATE-RJ (PS3.8 §9.3.4)."""
    return bytes((ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, rejection.result, rejection.source, rejection.reason))


def body_length(received: bytes, offset: int = 0) -> tuple[int, int]:
    """Type and length of the body that follows a PDU's first six bytes, once both can be believed."""
    kind, length = _header.unpack_from(received, offset)
    if kind not in NAMES:
        start = bytes(received[offset : offset + HEADER_LENGTH])
        raise BadReply(f"what it says starts with {start!r}, which is no DICOM.")
    if length > _LARGEST.get(kind, _LARGEST_OTHER):
        raise BadReply(f"it announces a PDU of {length} bytes.")
    return kind, length


def decode_rejection(body: bytes | memoryview) -> Rejection:
    """The numbers of an A-ASSOCIATE-RJ."""
    if len(body) != 4:
        raise BadReply("its rejection is incomplete.")
    return Rejection(body[1], body[2], body[3])


def decode_abort(body: bytes | memoryview) -> Abort:
    """The numbers of an A-ABORT."""
    if len(body) != 4:
        raise BadReply("its abort is incomplete.")
    return Abort(body[2], body[3])


def values(body: bytes | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Context id, message control header and fragment of each value in a P-DATA-TF (PS3.8 §9.3.5.1, Annex E.2).

    An empty fragment must be the last of its message: one could be followed by any number of its like.
    """
    view, offset, end = memoryview(body), 0, len(body)
    if not end:
        raise BadReply("it sent a P-DATA-TF without a value.")
    while offset < end:
        if end - offset < _VALUE_HEADER_LENGTH:
            raise BadReply("a value of its P-DATA-TF is cut short.")
        length, context_id, control = _value.unpack_from(body, offset)
        stop = offset + 4 + length
        if length < 2 or stop > end:
            raise BadReply(f"a value in its P-DATA-TF claims {length} bytes.")
        if length == 2 and not control & LAST:
            raise BadReply("it sends fragments with nothing in them.")
        yield context_id, control, view[offset + _VALUE_HEADER_LENGTH : stop]
        offset = stop


def fragment_length(maximum_length: int) -> int:
    """The most bytes of a message in one P-DATA-TF to a peer that said this maximum length; 0 sets no limit."""
    largest = min(maximum_length or OFFERED_LENGTH, OFFERED_LENGTH) - _VALUE_HEADER_LENGTH
    if largest < _FEWEST_VALUE_BYTES:
        raise BadReply(f"it takes PDUs of at most {maximum_length} bytes, into which no message fits.")
    return largest


def whole(context_id: int, control: int, message: bytes) -> bytes:
    """A P-DATA-TF of one fragment."""
    length = len(message)
    return _data.pack(P_DATA_TF, length + 6, length + 2, context_id, control) + message


def fragments(context_id: int, control: int, message: bytes, most: int) -> Iterator[bytes | memoryview]:
    """The message in P-DATA-TFs of at most ``most`` bytes of it, as headers and views in turn (PS3.8 Annex E)."""
    view, size = memoryview(message), len(message)
    header = _data.pack(P_DATA_TF, most + 6, most + 2, context_id, control)
    stop = (size - 1) // most * most if size else 0
    for offset in range(0, stop, most):
        yield header
        yield view[offset : offset + most]
    rest = size - stop
    yield _data.pack(P_DATA_TF, rest + 6, rest + 2, context_id, control | LAST)
    yield view[stop:]
