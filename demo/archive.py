"""A PACS archive: it keeps instances as files, finds them, gives them back, sends them on and commits to them."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.presentation import build_context

from demo.commitment import COMMITMENT, outcome, report_soon
from demo.matching import LEVELS, answer_of, matches
from demo.node import CLOSING, Node
from demo.storage import KEPT

STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_ROOT_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
STUDY_ROOT_GET = UID("1.2.840.10008.5.1.4.1.2.2.3")

SUCCESS = 0x0000
PENDING = 0xFF00
OUT_OF_RESOURCES = 0xA700
IDENTIFIER_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000
CANCELLED = 0xFE00

Address = tuple[str, int]


class Archive(Node):
    """An archive that keeps every instance it accepted as `<SOP Instance UID>.dcm` in its folder.

    ``destinations`` are those that it sends and reports to: host and port by AE title.
    """

    def __init__(
        self, name: str, ae_title: str, folder: Path, destinations: Mapping[str, Address] | None = None
    ) -> None:
        super().__init__(name, "archive", ae_title, folder)
        self._folder = folder
        self._destinations = destinations or {}
        self._write_numbers = itertools.count()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def is_empty(self) -> bool:
        """Whether no instance is kept."""
        return next(self._folder.glob("*.dcm"), None) is None

    def _make_entity(self) -> ApplicationEntity:
        entity = super()._make_entity()
        for sop_class in KEPT:
            entity.add_supported_context(sop_class, scu_role=True, scp_role=True)
        for service in (STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET, COMMITMENT):
            entity.add_supported_context(service)
        return entity

    def _handlers(self) -> list[EventHandlerType]:
        return [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_C_MOVE, self._move),
            (evt.EVT_N_ACTION, self._commit),
        ]

    def _store(self, event: Event) -> int:
        """Keep the instance; the file is whole when success is answered (PS3.4 §B.2.3)."""
        uid = event.file_meta.MediaStorageSOPInstanceUID
        if not uid.is_valid:
            return CANNOT_UNDERSTAND
        unfinished = self._folder / f".{uid}.{next(self._write_numbers)}"
        try:
            unfinished.write_bytes(event.encoded_dataset())
            unfinished.replace(self._path(uid))
        except OSError:
            unfinished.unlink(missing_ok=True)
            return OUT_OF_RESOURCES
        return SUCCESS

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        """One answer for each study, series or image that matches the keys (PS3.4 §C.4.1)."""
        query = event.identifier
        if query.get("QueryRetrieveLevel") not in LEVELS:
            yield IDENTIFIER_DOES_NOT_MATCH, None
            return
        for images in self._found(query):
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, answer_of(query, images, self.ae_title)

    def _get(self, event: Event) -> Iterator[int | tuple[int, Dataset | None]]:
        """All that is asked for, over this same association (PS3.4 §C.4.3)."""
        yield from self._sent(event, self._asked_for(event))

    def _move(self, event: Event) -> Iterator[Any]:
        """All that is asked for, over an association with a destination that is known (PS3.4 §C.4.2)."""
        title = str(event.move_destination or "").strip()
        address = self._destinations.get(title)
        if address is None:
            yield None, None
            return
        images = self._asked_for(event)
        kinds = sorted({(image.SOPClassUID, image.file_meta.TransferSyntaxUID) for image in images})
        contexts = [build_context(*kind) for kind in kinds]
        yield (*address, {"ae_title": title, "contexts": contexts, "evt_handlers": CLOSING})
        yield from self._sent(event, images)

    def _commit(self, event: Event) -> tuple[int, None]:
        """Takes responsibility for what is kept, and reports it to who asks, at the address that is known of it."""
        asked = event.action_information
        held = {
            uid for item in asked.ReferencedSOPSequence if self._path(uid := item.ReferencedSOPInstanceUID).exists()
        }
        title = str(event.assoc.requestor.ae_title).strip()
        if address := self._destinations.get(title):
            report_soon(self.ae_title, title, address, outcome(asked, held))
        return SUCCESS, None

    def _sent(self, event: Event, images: list[Dataset]) -> Iterator[int | tuple[int, Dataset | None]]:
        yield len(images)
        for image in images:
            if event.is_cancelled:
                yield CANCELLED, None
                return
            yield PENDING, dcmread(self._path(image.SOPInstanceUID))

    def _asked_for(self, event: Event) -> list[Dataset]:
        return [image for images in self._found(event.identifier) for image in images]

    def _found(self, query: Dataset) -> list[list[Dataset]]:
        """What matches, by the unique key of the query's level."""
        key = LEVELS.get(query.get("QueryRetrieveLevel", ""), LEVELS["STUDY"])
        found: dict[str, list[Dataset]] = {}
        for path in sorted(self._folder.glob("*.dcm")):
            image = dcmread(path, stop_before_pixels=True)
            found.setdefault(image[key].value, []).append(image)
        return [images for images in found.values() if matches(query, images[0])]

    def _path(self, uid: str) -> Path:
        return self._folder / f"{uid}.dcm"
