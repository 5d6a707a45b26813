"""What a C-FIND asks for, and what it is told about studies, series and images (PS3.4 §C.2.2.2, §C.6.2)."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from pydicom.dataset import Dataset

LEVELS: Mapping[str, str] = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
"""The unique key of each level of the Study Root model."""

_KEYS = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
    *("PatientID", "PatientName", "AccessionNumber", "StudyID", "StudyDate", "ModalitiesInStudy", "Modality"),
)


def matches(query: Dataset, image: Dataset) -> bool:
    """Whether the image, and so what it belongs to, matches every key of the query; an empty key matches all."""
    return all(_matches_key(key, query, image) for key in _KEYS if query.get(key) not in (None, ""))


def answer_of(query: Dataset, images: list[Dataset], ae_title: str) -> Dataset:
    """The attributes that the query asks for, of the study, series or image that these images make up."""
    first = images[0]
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 100"
    for element in query:
        if element.keyword in first:
            answer[element.tag] = first[element.tag]
    answer.QueryRetrieveLevel = query.QueryRetrieveLevel
    answer.RetrieveAETitle = ae_title
    for level, key in LEVELS.items():
        setattr(answer, key, first[key].value)
        if level == query.QueryRetrieveLevel:
            break
    if query.QueryRetrieveLevel == "STUDY":
        answer.ModalitiesInStudy = sorted({image.Modality for image in images})
        answer.NumberOfStudyRelatedSeries = len({image.SeriesInstanceUID for image in images})
        answer.NumberOfStudyRelatedInstances = len(images)
    if query.QueryRetrieveLevel == "SERIES":
        answer.NumberOfSeriesRelatedInstances = len(images)
    return answer


def _matches_key(key: str, query: Dataset, image: Dataset) -> bool:
    wanted = query[key]
    value = str(image.get("Modality" if key == "ModalitiesInStudy" else key, ""))
    if wanted.VR == "DA" and "-" in str(wanted.value):
        first, _, last = str(wanted.value).partition("-")
        return (first or "0") <= value <= (last or "9")
    choices = wanted.value if wanted.VM > 1 else [wanted.value]
    if wanted.VR == "PN":
        return any(_like(value.casefold(), str(choice).casefold()) for choice in choices)
    return any(_like(value, str(choice)) for choice in choices)


def _like(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))
