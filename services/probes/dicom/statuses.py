"""DIMSE statuses (PS3.7 Annex C, PS3.4) and what they tell of a retrieval's progress."""

from dataclasses import dataclass

SUCCESS = 0x0000
CANCELLED = 0xFE00
PENDING = (0xFF00, 0xFF01)


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
