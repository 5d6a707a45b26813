"""DIMSE statuses (PS3.7 Annex C, PS3.4) and what they tell of a retrieval's progress."""

from dataclasses import dataclass

SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING = (0xFF00, 0xFF01)
OUT_OF_RESOURCES = 0xA700

_WARNINGS = (0x0001, 0x0107, 0x0116)
_MEANINGS = {
    SUCCESS: "success",
    CANCELLED: "cancelled",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class-instance conflict",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xA701: "out of resources: the number of matches can't be told",
    0xA702: "out of resources: sub-operations can't be performed",
    0xA801: "move destination unknown",
    0xB000: "done, with elements coerced or with failed sub-operations",
    0xB006: "done, with elements discarded",
    0xB007: "done, though the data set does not match its SOP class",
    **dict.fromkeys(PENDING, "pending"),
}
_RANGES = {0xA700: "out of resources", 0xA900: "data set or identifier does not match the SOP class"}


@dataclass(frozen=True, slots=True)
class SubOperations:
    """Counts of a C-GET's or C-MOVE's sub-operations (PS3.7 §9.1.3.1); what the peer left out is None."""

    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warnings: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """One answer to a C-MOVE."""

    status: int
    sub_operations: SubOperations


def is_kept(status: int) -> bool:
    """Whether a C-STORE that is answered so left the instance with the peer: success, or a warning (PS3.7 Annex C)."""
    return status == SUCCESS or status in _WARNINGS or status & 0xF000 == 0xB000


def meaning(status: int) -> str:
    """A status in the words of PS3.7 Annex C and PS3.4: ``0xA801 (move destination unknown)``."""
    text = _MEANINGS.get(status) or _RANGES.get(status & 0xFF00)
    if text is None:
        text = "cannot understand or process" if status & 0xF000 == 0xC000 else "not in the standard"
    return f"0x{status:04X} ({text})"
