"""A SOP instance as its bytes travel: encoded once, never decoded on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Encoded:
    """One SOP instance: its data set (PS3.5 §7, without file meta information) in one transfer syntax."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes = field(repr=False)

    def decoded(self) -> Dataset:
        """The data set. Raises BadReply where the bytes are none."""
        raise NotImplementedError

    def as_file(self) -> bytes:
        """The instance in the DICOM file format (PS3.10 §7.1)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Received:
    """An instance that came to a listener by C-STORE, and from whom.

    Where a C-MOVE had it sent, the originator's AE title and message id are told (PS3.7 §9.1.1.1).
    """

    encoded: Encoded
    calling_ae_title: str
    move_originator: str | None = None
    move_message_id: int | None = None


def encode(ds: Dataset, transfer_syntaxes: Sequence[str]) -> Encoded:
    """The data set in its own transfer syntax if that is among these, or else in the first uncompressed one.

    Raises ValueError where none fits.
    """
    raise NotImplementedError


def read_encoded(path: Path) -> Encoded:
    """The instance of a DICOM file; its data set is not decoded. Raises ValueError for another file."""
    raise NotImplementedError
