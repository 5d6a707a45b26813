"""The storage SOP classes of each modality (PS3.4 §B.5) and the models of query and retrieval (PS3.4 §C, §K)."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import StringConstraints

Modality = Literal[
    "CT", "MR", "CR", "DX", "MG", "US", "XA", "RF", "NM", "PT", "IO", "SC", "SR", "KO", "PR", "DOC", "ES", "GM", "XC",
    "OP", "SM", "RT", "SEG", "ECG",
]  # fmt: skip

Uid = Annotated[str, StringConstraints(max_length=64, pattern=r"^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*$")]
"""A unique identifier (PS3.5 §9)."""

_STORAGE = "1.2.840.10008.5.1.4.1.1."
STORAGE: Mapping[Modality, tuple[str, ...]] = {
    "CT": (_STORAGE + "2", _STORAGE + "2.1"),
    "MR": (_STORAGE + "4", _STORAGE + "4.1"),
    "CR": (_STORAGE + "1",),
    "DX": (_STORAGE + "1.1", _STORAGE + "1.1.1"),
    "MG": (_STORAGE + "1.2", _STORAGE + "1.2.1", _STORAGE + "13.1.3"),
    "US": (_STORAGE + "6.1", _STORAGE + "3.1"),
    "XA": (_STORAGE + "12.1", _STORAGE + "12.1.1"),
    "RF": (_STORAGE + "12.2",),
    "NM": (_STORAGE + "20",),
    "PT": (_STORAGE + "128", _STORAGE + "130"),
    "IO": (_STORAGE + "1.3",),
    "SC": (_STORAGE + "7", _STORAGE + "7.2", _STORAGE + "7.4"),
    "SR": (_STORAGE + "88.11", _STORAGE + "88.22", _STORAGE + "88.33", _STORAGE + "88.67"),
    "KO": (_STORAGE + "88.59",),
    "PR": (_STORAGE + "11.1",),
    "DOC": (_STORAGE + "104.1",),
    "ES": (_STORAGE + "77.1.1",),
    "GM": (_STORAGE + "77.1.2",),
    "XC": (_STORAGE + "77.1.4",),
    "OP": (_STORAGE + "77.1.5.1",),
    "SM": (_STORAGE + "77.1.6",),
    "RT": (_STORAGE + "481.1", _STORAGE + "481.2", _STORAGE + "481.3", _STORAGE + "481.5"),
    "SEG": (_STORAGE + "66.4",),
    "ECG": (_STORAGE + "9.1.1",),
}
USUAL: tuple[Modality, ...] = (
    *("CT", "MR", "CR", "DX", "MG", "US", "XA", "RF", "NM", "PT", "SC", "SR", "KO", "PR", "DOC"),
)
CT_IMAGE = _STORAGE + "2"
BASIC_TEXT_SR = _STORAGE + "88.11"

VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
WORKLIST_FIND = "1.2.840.10008.5.1.4.31"

_QUERY = "1.2.840.10008.5.1.4.1.2."
PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET = (f"{_QUERY}1.{part}" for part in (1, 2, 3))
STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET = (f"{_QUERY}2.{part}" for part in (1, 2, 3))


def classes_of(modalities: tuple[Modality, ...]) -> list[str]:
    """The storage SOP classes of these modalities, each once, in their order."""
    return list(dict.fromkeys(sop_class for modality in modalities for sop_class in STORAGE[modality]))
