"""What the DIMSE statuses of storage, query and retrieval say of a peer (PS3.4 §B.2.3, §C.4; PS3.7 Annex C)."""

from dataclasses import dataclass
from typing import Literal

from shared.events.probes import Outcome

Operation = Literal["store", "find", "get", "move"]

SUCCESS = 0x0000


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a status is judged: as which outcome and failure, and what it says, as the end of a sentence."""

    outcome: Outcome
    failure: str | None
    text: str


STATUS_FAILURES = {
    "out_of_resources": "A700, A701, A702, 0213: the peer has no room, or no means, left",
    "move_destination_unknown": "A801: the archive does not know our AE title as a destination of C-MOVE",
    "identifier_mismatch": "A900: what was asked does not match the SOP class",
    "data_set_mismatch": "A900, B007: what was stored does not match its SOP class",
    "retrieved_with_failures": "B000: some of what was asked for was not sent",
    "coerced": "B000: the peer changed what it stored",
    "elements_discarded": "B006: the peer left out some of what it stored",
    "unable_to_process": "C000 to CFFF: the peer could not process what it was sent",
    "sop_class_not_supported": "0122: the peer does not do this",
    "not_authorized": "0124: the peer does not let us",
    "processing_failure": "0110: the peer failed at it",
    "cancelled": "FE00: the peer ended it as if we had asked for that",
    "dimse_status": "another status than success",
}

_OF_ANY = {
    0x0110: ("processing_failure", "processing failure"),
    0x0122: ("sop_class_not_supported", "SOP class not supported"),
    0x0124: ("not_authorized", "refused: not authorized"),
    0x0213: ("out_of_resources", "resource limitation"),
    0xA700: ("out_of_resources", "out of resources"),
    0xA701: ("out_of_resources", "out of resources: it can't calculate the number of matches"),
    0xA702: ("out_of_resources", "out of resources: it can't perform the sub-operations"),
    0xA801: ("move_destination_unknown", "move destination unknown: it does not know our AE title as one to send to"),
    0xFE00: ("cancelled", "cancelled, which nobody asked for"),
}
_WARNINGS_OF_STORE = {
    0xB000: ("coerced", "it changed some of the data elements"),
    0xB006: ("elements_discarded", "it discarded some of the data elements"),
    0xB007: ("data_set_mismatch", "it says that the data set does not match its SOP class"),
}


def printed(status: int) -> str:
    """The status as results tell it, for example ``0xA700``."""
    return f"0x{status:04X}"


def meaning(status: int, operation: Operation) -> Meaning:
    """What a final status means. Only success is success."""
    if status == SUCCESS:
        return Meaning("ok", None, "success")
    if operation == "store" and status in _WARNINGS_OF_STORE:
        return Meaning("degraded", *_WARNINGS_OF_STORE[status])
    failure, text = _failure(status, operation)
    return Meaning("failed", failure, text)


def _failure(status: int, operation: Operation) -> tuple[str, str]:
    if status in _OF_ANY:
        return _OF_ANY[status]
    if operation == "store" and status & 0xFF00 == 0xA700:
        return "out_of_resources", "out of resources"
    if operation == "store" and status & 0xFF00 == 0xA900:
        return "data_set_mismatch", "the data set does not match its SOP class"
    if status & 0xFF00 == 0xA900:
        return "identifier_mismatch", "the identifier does not match the SOP class"
    if operation in ("get", "move") and status == 0xB000:
        return "retrieved_with_failures", "sub-operations complete, one or more failures"
    if status & 0xF000 == 0xC000:
        return "unable_to_process", "unable to process"
    return "dimse_status", "a status that the standard does not define here"
