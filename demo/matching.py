"""Which studies a C-FIND asks for, and what it is told about them (PS3.4 §C.2.2.2)."""

from fnmatch import fnmatchcase

from pydicom.dataset import Dataset

_KEYS = ("StudyInstanceUID", "PatientID", "PatientName", "AccessionNumber", "StudyID", "StudyDate", "ModalitiesInStudy")


def matches(query: Dataset, image: Dataset) -> bool:
    """Whether the study this image belongs to matches every key of the query; an empty key matches all."""
    return all(_matches_key(key, query, image) for key in _KEYS if query.get(key) not in (None, ""))


def study_answer(query: Dataset, images: list[Dataset], ae_title: str) -> Dataset:
    """The attributes the query asks for, of the study that these images make up."""
    first = images[0]
    answer = Dataset()
    answer.SpecificCharacterSet = "ISO_IR 100"
    for element in query:
        if element.keyword in first:
            answer[element.tag] = first[element.tag]
    answer.QueryRetrieveLevel = "STUDY"
    answer.RetrieveAETitle = ae_title
    answer.StudyInstanceUID = first.StudyInstanceUID
    answer.ModalitiesInStudy = sorted({image.Modality for image in images})
    answer.NumberOfStudyRelatedSeries = len({image.SeriesInstanceUID for image in images})
    answer.NumberOfStudyRelatedInstances = len(images)
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
