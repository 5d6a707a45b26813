"""A PACS archive: it keeps images as files (C-STORE), finds studies (C-FIND) and gives them back (C-GET)."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event, EventHandlerType

from demo.matching import matches, study_answer
from demo.node import Node

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_GET = UID("1.2.840.10008.5.1.4.1.2.2.3")

SUCCESS = 0x0000
PENDING = 0xFF00
OUT_OF_RESOURCES = 0xA700
IDENTIFIER_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
CANCELLED = 0xFE00


class Archive(Node):
    """An archive that keeps every image it accepted as `<SOP Instance UID>.dcm` in its folder."""

    def __init__(self, name: str, ae_title: str, folder: Path) -> None:
        super().__init__(name, "archive", ae_title, folder)
        self._folder = folder
        self._write_numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_empty(self) -> bool:
        """Whether no image is kept."""
        return next(self._folder.glob("*.dcm"), None) is None

    def _make_entity(self) -> ApplicationEntity:
        entity = super()._make_entity()
        entity.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
        entity.add_supported_context(STUDY_ROOT_FIND)
        entity.add_supported_context(STUDY_ROOT_GET)
        return entity

    def _handlers(self) -> list[EventHandlerType]:
        return [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get)]

    def _store(self, event: Event) -> int:
        """Keep the image; the file is whole when success is answered (PS3.4 §B.2.3)."""
        uid = event.file_meta.MediaStorageSOPInstanceUID
        if not uid.is_valid:
            return CANNOT_UNDERSTAND
        unfinished = self._folder / f".{uid}.{next(self._write_numbers)}"
        try:
            unfinished.write_bytes(event.encoded_dataset())
            unfinished.replace(self._folder / f"{uid}.dcm")
        except OSError:
            unfinished.unlink(missing_ok=True)
            return OUT_OF_RESOURCES
        return SUCCESS

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        """One answer for each study that matches the keys (PS3.4 §C.4.1)."""
        query = event.identifier
        if query.get("QueryRetrieveLevel") != "STUDY":
            yield IDENTIFIER_DOES_NOT_MATCH, None
            return
        for images in self._studies(query):
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, study_answer(query, images, self.ae_title)

    def _get(self, event: Event) -> Iterator[int | tuple[int, Dataset | None]]:
        """Every image of the studies asked for, over this same association (PS3.4 §C.4.3)."""
        query = event.identifier
        uids = [image.SOPInstanceUID for images in self._studies(query) for image in images]
        yield len(uids)
        for uid in uids:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, dcmread(self._folder / f"{uid}.dcm")

    def _studies(self, query: Dataset) -> list[list[Dataset]]:
        studies: dict[str, list[Dataset]] = {}
        for path in sorted(self._folder.glob("*.dcm")):
            image = dcmread(path, stop_before_pixels=True)
            studies.setdefault(image.StudyInstanceUID, []).append(image)
        return [images for images in studies.values() if matches(query, images[0])]
