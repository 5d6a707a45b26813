"""Archives on pynetdicom that answer the round trip, each with something wrong: they lie, lack a service, are full."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from services.probes.dicom import Peer
from services.probes.kinds.storage_classes import (
    BASIC_TEXT_SR,
    COMMITMENT,
    CT_IMAGE,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
)

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
AE_TITLE = "DISHONEST"
"""What it is called, whatever it does."""


@dataclass
class Archive:
    """What an archive keeps, and how it answers: by default honestly.

    ``keeps`` changes what is stored before it is kept, None drops it. Statuses are those it ends each service with.
    ``knows`` are the destinations of C-MOVE; ``reaches`` sends what is moved, or only says so.
    """

    keeps: Callable[[Dataset], Dataset | None] = lambda ds: ds
    store_status: int = 0x0000
    find_status: int = 0x0000
    get_status: int = 0x0000
    lacks: tuple[str, ...] = ()
    knows: dict[str, int] = field(default_factory=dict)
    sends: bool = True
    finds: bool = True
    kept: dict[str, Dataset] = field(default_factory=dict)

    def on_store(self, event: Any) -> int:
        ds = event.dataset
        ds.file_meta = event.file_meta
        kept = self.keeps(ds)
        if kept is not None and self.store_status & 0xF000 in (0x0000, 0xB000):
            self.kept[str(ds.SOPInstanceUID)] = kept
        return self.store_status

    def on_find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for ds in self._matching(event.identifier) if self.finds else []:
            answer = Dataset()
            answer.QueryRetrieveLevel = event.identifier.QueryRetrieveLevel
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                setattr(answer, keyword, getattr(ds, keyword))
            answer.NumberOfStudyRelatedInstances = len(self.kept)
            yield 0xFF00, answer
        if self.find_status:
            yield self.find_status, None

    def on_get(self, event: Any) -> Iterator[Any]:
        found = self._matching(event.identifier) if self.sends else []
        yield max(1, len(found)) if self.get_status else len(found)
        if self.get_status:
            yield self.get_status, None
        for ds in found:
            yield 0xFF00, ds

    def on_move(self, event: Any) -> Iterator[Any]:
        port = self.knows.get(event.move_destination)
        if port is None:
            yield None, None
            return
        yield "127.0.0.1", port, {"ae_title": event.move_destination}
        found = self._matching(event.identifier) if self.sends else []
        yield len(found)
        for ds in found:
            yield 0xFF00, ds

    def on_action(self, event: Any) -> tuple[int, Dataset | None]:
        return 0x0000, None

    def _matching(self, query: Dataset) -> list[Dataset]:
        levels = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
        return [ds for ds in self.kept.values() if all(query.get(k) in (None, "", ds.get(k)) for k in levels)]


@contextmanager
def serving(archive: Archive) -> Iterator[Peer]:
    """The archive on a free port."""
    entity = AE(ae_title=AE_TITLE)
    for sop_class in (VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_GET, STUDY_ROOT_MOVE, COMMITMENT):
        if sop_class not in archive.lacks:
            entity.add_supported_context(sop_class, SYNTAXES)
    for sop_class in (CT_IMAGE, BASIC_TEXT_SR):
        if sop_class not in archive.lacks:
            entity.add_supported_context(sop_class, SYNTAXES, scu_role=True, scp_role=True)
            entity.add_requested_context(sop_class, SYNTAXES)
    handlers: list[Any] = [
        (evt.EVT_C_STORE, archive.on_store),
        (evt.EVT_C_FIND, archive.on_find),
        (evt.EVT_C_GET, archive.on_get),
        (evt.EVT_C_MOVE, archive.on_move),
        (evt.EVT_N_ACTION, archive.on_action),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield Peer("127.0.0.1", int(server.server_address[1]), AE_TITLE)
    finally:
        server.shutdown()
