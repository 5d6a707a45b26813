"""Data sets as bytes and back, by pydicom; and a SOP instance as its bytes travel, never decoded on the way."""

import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import dsutils

from services.probes.dicom.pdu import BadReply

_PREAMBLE = bytes(128) + b"DICM"


@dataclass(frozen=True, slots=True)
class Encoded:
    """One SOP instance: its data set (PS3.5 §7, without file meta information) in one transfer syntax."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data: bytes = field(repr=False)

    def decoded(self) -> Dataset:
        """The data set, with file meta information. Raises DicomFailure where the bytes are none."""
        ds = decode_data(self.data, self.transfer_syntax)
        ds.file_meta = dsutils.create_file_meta(
            sop_class_uid=UID(self.sop_class),
            sop_instance_uid=UID(self.sop_instance),
            transfer_syntax=UID(self.transfer_syntax),
        )
        return ds

    def as_file(self) -> bytes:
        """The instance in the DICOM file format (PS3.10 §7.1)."""
        meta = dsutils.create_file_meta(
            sop_class_uid=UID(self.sop_class),
            sop_instance_uid=UID(self.sop_instance),
            transfer_syntax=UID(self.transfer_syntax),
        )
        return _PREAMBLE + dsutils.encode_file_meta(meta) + self.data


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

    Raises ValueError where none fits, or the data set can't be encoded.
    """
    transfer_syntax = fitting_syntax(ds, transfer_syntaxes)
    if transfer_syntax is None:
        names = ", ".join(UID(uid).name for uid in transfer_syntaxes)
        raise ValueError(f"a data set in {UID(transfer_syntax_of(ds)).name} can't be sent in any of: {names}")
    return Encoded(str(ds.SOPClassUID), str(ds.SOPInstanceUID), transfer_syntax, encode_data(ds, transfer_syntax))


def fitting_syntax(ds: Dataset, transfer_syntaxes: Sequence[str]) -> str | None:
    """The data set's own transfer syntax if it is among these, or else the first uncompressed one, if it has none."""
    own = transfer_syntax_of(ds)
    if own in transfer_syntaxes:
        return own
    if UID(own).is_compressed:
        return None
    return next((uid for uid in transfer_syntaxes if not UID(uid).is_compressed), None)


def transfer_syntax_of(ds: Dataset) -> str:
    """The transfer syntax that a data set came in; that of one made here is Explicit VR Little Endian."""
    meta = getattr(ds, "file_meta", None)
    if meta is not None and "TransferSyntaxUID" in meta:
        return str(meta.TransferSyntaxUID)
    return str(ImplicitVRLittleEndian if ds.original_encoding == (True, True) else ExplicitVRLittleEndian)


def read_encoded(path: Path) -> Encoded:
    """The instance of a DICOM file; its data set is not decoded. Raises ValueError for another file."""
    try:
        meta, offset = dsutils.split_dataset(path)
        uids = (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID)
    except Exception as exc:
        raise ValueError(f"{path} is no DICOM file") from exc
    with path.open("rb") as file:
        file.seek(offset)
        return Encoded(str(uids[0]), str(uids[1]), str(uids[2]), file.read())


def encode_data(ds: Dataset, transfer_syntax: str) -> bytes:
    """The data set's bytes. Raises ValueError where pydicom can't encode it."""
    uid = UID(transfer_syntax)
    data = dsutils.encode(ds, uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
    if data is None:
        raise ValueError("the data set can't be encoded: one of its values does not fit its VR")
    return data


def decode_data(data: bytes, transfer_syntax: str) -> Dataset:
    """The data set of these bytes, its values not yet looked at. Raises BadReply for none."""
    uid = UID(transfer_syntax)
    try:
        if uid == DeflatedExplicitVRLittleEndian:
            data = zlib.decompress(data, -zlib.MAX_WBITS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_dataset(BytesIO(data), uid.is_implicit_VR, uid.is_little_endian)
    except Exception as exc:
        raise BadReply("a data set of its can't be decoded.") from exc


def decode_identifier(data: bytes, transfer_syntax: str, most: int) -> Dataset:
    """The data set of an answer, every value of it decoded. Raises BadReply for none."""
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        data, transfer_syntax = _inflated(data, most), ExplicitVRLittleEndian
    ds = decode_data(data, transfer_syntax)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in ds.iterall():
                pass
    except Exception as exc:
        raise BadReply("a value of its data set can't be decoded.") from exc
    return ds


def _inflated(data: bytes, most: int) -> bytes:
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflating.decompress(data, most)
    except zlib.error as exc:
        raise BadReply("a deflated data set of its can't be inflated.") from exc
    if inflating.unconsumed_tail:
        raise BadReply(f"a deflated data set of its has over {most} bytes.")
    return inflated
