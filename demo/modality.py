"""A modality: it takes images and sends them to an archive over C-STORE."""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom.ae import ApplicationEntity

from demo.node import Node


class Modality(Node):
    """A CT scanner."""

    def __init__(self, name: str, ae_title: str) -> None:
        super().__init__(name, "modality", ae_title)

    def send(self, images: Sequence[Dataset], archive: Node) -> None:
        """Store the images in the archive; when this returns, it has answered each with success.

        Raises ConnectionError when there is no association, or an image was not taken.
        """
        assoc = self._entity.associate(archive.host, archive.port, ae_title=archive.ae_title)
        if not assoc.is_established:
            raise ConnectionError(f"{archive.ae_title} took no association from {self.ae_title}")
        try:
            for image in images:
                status = assoc.send_c_store(image).get("Status")
                if status != 0x0000:
                    raise ConnectionError(f"{archive.ae_title} did not store {image.SOPInstanceUID}: status {status!r}")
        finally:
            assoc.release()

    def _make_entity(self) -> ApplicationEntity:
        entity = super()._make_entity()
        entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        return entity
