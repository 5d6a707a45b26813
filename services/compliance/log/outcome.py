"""How what an event tells of ended, in the four steps of FHIR's AuditEventOutcome and DICOM PS3.15 §A.5.1."""

from typing import Literal

Outcome = Literal[0, 4, 8, 12]
"""0 success, 4 minor failure, 8 serious failure, 12 major failure."""

OUTCOMES: tuple[Outcome, ...] = (0, 4, 8, 12)

_BY_WORD: dict[str, Outcome] = {"degraded": 4, "failed": 8, "error": 8, "probe_error": 8}
_BY_TYPE: dict[str, Outcome] = {
    "alert.raised": 8,
    "backup.failed": 8,
    "log.events_lost": 12,
    "notice.failed": 4,
    "witness.refused": 12,
}


def outcome_of(event_type: str, word: object) -> Outcome:
    """The outcome of an event of this type whose data has ``word`` as its ``outcome``."""
    return _BY_TYPE.get(event_type) or (_BY_WORD.get(word, 0) if isinstance(word, str) else 0)
