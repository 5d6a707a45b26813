"""DIMSE messages: their command sets as bytes and back (PS3.7 §6.3, Annex E), always Implicit VR Little Endian."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.probes.dicom.pdu import BadReply

C_STORE, C_GET, C_FIND, C_MOVE, C_ECHO = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030
N_EVENT_REPORT, N_ACTION, C_CANCEL = 0x0100, 0x0130, 0x0FFF
RESPONSE = 0x8000

AFFECTED_SOP_CLASS, REQUESTED_SOP_CLASS = 0x0002, 0x0003
FIELD, MESSAGE_ID, ANSWERED_ID = 0x0100, 0x0110, 0x0120
MOVE_DESTINATION, PRIORITY, DATA_SET_TYPE, STATUS, ERROR_COMMENT = 0x0600, 0x0700, 0x0800, 0x0900, 0x0902
AFFECTED_SOP_INSTANCE, REQUESTED_SOP_INSTANCE = 0x1000, 0x1001
EVENT_TYPE, ACTION_TYPE = 0x1002, 0x1008
REMAINING, COMPLETED, FAILED, WARNINGS = 0x1020, 0x1021, 0x1022, 0x1023
MOVE_ORIGINATOR, MOVE_MESSAGE_ID = 0x1030, 0x1031

VERIFICATION = "1.2.840.10008.1.1"
MEDIUM = 0x0000
RESOURCE_LIMITATION = 0x0213
NO_DATA, WITH_DATA = 0x0101, 0x0001

# The longest command sets, with an error comment and a list of identifiers, take hundreds of bytes.
LARGEST_COMMAND = 16_384

_SPACE_PADDED = {MOVE_DESTINATION, MOVE_ORIGINATOR, ERROR_COMMENT}
_NAMES = {
    C_STORE: "C-STORE",
    C_GET: "C-GET",
    C_FIND: "C-FIND",
    C_MOVE: "C-MOVE",
    C_ECHO: "C-ECHO",
    N_EVENT_REPORT: "N-EVENT-REPORT",
    N_ACTION: "N-ACTION",
}
_element = struct.Struct("<HHI")
_short = struct.Struct("<HHIH")
_answer = struct.Struct("<HHIHHHIH")
_length = struct.Struct("<HHII")

Elements = Mapping[int, int | str]


def name_of(field: int) -> str:
    """A command field as people write it: ``C-ECHO-RSP``."""
    name = _NAMES.get(field & ~RESPONSE)
    return f"{name}-{'RSP' if field & RESPONSE else 'RQ'}" if name else f"command {field:04X}H"


class Command:
    """A command set that was received: the values of its elements (0000,eeee), by e."""

    __slots__ = ("field", "has_data", "values")

    def __init__(self, values: dict[int, bytes]) -> None:
        self.values = values
        self.field = self.number(FIELD)
        self.has_data = self.number(DATA_SET_TYPE) != NO_DATA

    def number(self, element: int) -> int:
        """The value of an element of VR US. Raises BadReply where it is absent or none."""
        value = self.values.get(element)
        if value is None or len(value) != 2:
            raise BadReply(f"a command set of its lacks a number in (0000,{element:04X}).")
        return value[0] | value[1] << 8

    def optional_number(self, element: int) -> int | None:
        """The same, or None where it is absent or empty."""
        return self.number(element) if self.values.get(element) else None

    def text(self, element: int) -> str:
        """The value of an element of VR UI or AE, empty where it is absent. Raises BadReply for one over 64 bytes."""
        value = self.values.get(element, b"").strip(b"\0 ")
        if len(value) > 64 or not value.isascii():
            raise BadReply(f"a command set of its has no text in (0000,{element:04X}).")
        return value.decode("ascii")


@dataclass(slots=True)
class Message:
    """One whole DIMSE message as it was received."""

    context_id: int
    command: Command
    data: bytes


def encode_command(elements: Elements) -> bytes:
    """A command set. Numbers are of VR US; texts are UIDs, or AE titles where the element is one."""
    body = b"".join(_encoded(element, elements[element]) for element in sorted(elements))
    return _length.pack(0x0000, 0x0000, 4, len(body)) + body


def _encoded(element: int, value: int | str) -> bytes:
    if isinstance(value, int):
        return _short.pack(0x0000, element, 2, value)
    text = value.encode("ascii")
    if len(text) % 2:
        text += b" " if element in _SPACE_PADDED else b"\0"
    return _element.pack(0x0000, element, len(text)) + text


_STORE_KIND = _encoded(PRIORITY, MEDIUM) + _encoded(DATA_SET_TYPE, WITH_DATA)


class _Layout:
    """The elements of a command set and where they stand, which are the same in a long row of messages."""

    __slots__ = ("_elements", "_headers", "_parts")

    def __init__(self, values: Mapping[int, bytes]) -> None:
        self._elements = tuple(values)
        self._headers = tuple(_element.pack(0x0000, element, len(value)) for element, value in values.items())
        self._parts = struct.Struct("<" + "".join(f"8s{len(value)}s" for value in values.values()))

    def values(self, body: bytes) -> dict[int, bytes] | None:
        """The values, if the command set, which must be as long, has this layout."""
        parts = self._parts.unpack(body)
        if parts[::2] != self._headers:
            return None
        return dict(zip(self._elements, parts[1::2], strict=True))


# By the length of the command set; the first one stays. Longer ones are rare, and this bounds what is kept.
_layouts: dict[int, _Layout] = {}
_LONGEST_LAYOUT = 320


def decode_command(body: bytes) -> Command:
    """A command set from its bytes. Its group length is not believed; BadReply for what is none."""
    layout = _layouts.get(len(body))
    if layout is not None and (values := layout.values(body)) is not None:
        return Command(values)
    values = decode_elements(body)
    command = Command(values)
    if layout is None and len(body) <= _LONGEST_LAYOUT:
        _layouts[len(body)] = _Layout(values)
    return command


def decode_elements(body: bytes) -> dict[int, bytes]:
    """The values of a command set by their elements, one after the other. Raises BadReply for what is none."""
    values: dict[int, bytes] = {}
    offset, end, last = 0, len(body), -1
    while offset < end:
        if end - offset < 8:
            raise BadReply("an element of its command set is cut short.")
        group, element, length = _element.unpack_from(body, offset)
        start, offset = offset + 8, offset + 8 + length
        if group or element <= last or offset > end:
            raise BadReply(f"its command set can't be read at ({group:04X},{element:04X}).")
        values[element] = body[start:offset]
        last = element
    return values


@lru_cache(maxsize=256)
def echo_request(message_id: int) -> bytes:
    """The command set of a C-ECHO-RQ (PS3.7 §9.3.5.1)."""
    return encode_command(
        {AFFECTED_SOP_CLASS: VERIFICATION, FIELD: C_ECHO, MESSAGE_ID: message_id, DATA_SET_TYPE: NO_DATA}
    )


def store_request(sop_class: str, sop_instance: str, message_id: int) -> bytes:
    """The command set of a C-STORE-RQ (PS3.7 §9.3.1.1)."""
    body = b"".join(
        (
            _store_start(sop_class),
            _short.pack(0x0000, MESSAGE_ID, 2, message_id),
            _STORE_KIND,
            _encoded(AFFECTED_SOP_INSTANCE, sop_instance),
        )
    )
    return _length.pack(0x0000, 0x0000, 4, len(body)) + body


@lru_cache(maxsize=256)
def _store_start(sop_class: str) -> bytes:
    return _encoded(AFFECTED_SOP_CLASS, sop_class) + _encoded(FIELD, C_STORE)


def response_to(request: Command, status: int) -> bytes:
    """The command set of a response without data to a request that was received, about the same (PS3.7 §9.3, §10.3)."""
    values = request.values
    body = b"".join(
        (
            _raw(AFFECTED_SOP_CLASS, values),
            _answer.pack(0, FIELD, 2, request.field | RESPONSE, 0, ANSWERED_ID, 2, request.number(MESSAGE_ID)),
            _answer.pack(0, DATA_SET_TYPE, 2, NO_DATA, 0, STATUS, 2, status),
            _raw(AFFECTED_SOP_INSTANCE, values),
            _raw(EVENT_TYPE, values),
        )
    )
    return _length.pack(0x0000, 0x0000, 4, len(body)) + body


def _raw(element: int, values: Mapping[int, bytes]) -> bytes:
    value = values.get(element)
    return _element.pack(0x0000, element, len(value)) + value if value else b""
