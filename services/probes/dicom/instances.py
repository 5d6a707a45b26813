"""Data sets as bytes and back, by pydicom; and a SOP instance as its bytes travel, never decoded on the way."""

import itertools
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import dsutils

from services.probes.dicom.pdu import BadReply

# An answer to C-FIND has some dozens.
MOST_ELEMENTS = 256

# It tells of each value that it doubts, and a hostile peer chooses how many of those there are.
logging.getLogger("pydicom").setLevel(logging.ERROR)

_PREAMBLE = bytes(128) + b"DICM"
# After the preamble, and with the length of what follows, every file says this (PS3.10 Table 7.1-1).
_MAGIC = b"DICM\x02\x00\x00\x00UL\x04\x00"
_HEAD_LENGTH = 144
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX = 0x0002, 0x0003, 0x0010
_element = struct.Struct("<2xH2sH")


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
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD_LENGTH)
        if len(head) < _HEAD_LENGTH or head[128:140] != _MAGIC:
            raise ValueError(f"{path} is no DICOM file")
        meta = _meta_texts(file.read(int.from_bytes(head[140:], "little")))
        data = file.read()
    try:
        return Encoded(meta[_SOP_CLASS], meta[_SOP_INSTANCE], meta[_TRANSFER_SYNTAX], data)
    except KeyError as exc:
        raise ValueError(f"{path} does not say in its file meta information what it holds") from exc


def _meta_texts(meta: bytes) -> dict[int, str]:
    """The UIDs of file meta information by their elements (PS3.10 §7.1), which is Explicit VR Little Endian."""
    found, offset = {}, 0
    while offset + 8 <= len(meta):
        element, vr, length = _element.unpack_from(meta, offset)
        offset += 8
        if vr in (b"OB", b"UN", b"UT"):
            length = int.from_bytes(meta[offset : offset + 4], "little")
            offset += 4
        elif vr == b"UI":
            found[element] = meta[offset : offset + length].rstrip(b"\0 ").decode("ascii", errors="replace")
        offset += length
    return found


def encode_data(ds: Dataset, transfer_syntax: str) -> bytes:
    """The data set's bytes. Raises ValueError where pydicom can't encode it."""
    uid = UID(transfer_syntax)
    data = dsutils.encode(ds, uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
    if data is None:
        raise ValueError("the data set can't be encoded: one of its values does not fit its VR")
    return data


def decode_data(data: bytes, transfer_syntax: str, most_elements: int | None = None) -> Dataset:
    """The data set of these bytes, its values not yet looked at. Raises BadReply for none, or one of more elements."""
    uid = UID(transfer_syntax)
    try:
        if uid == DeflatedExplicitVRLittleEndian:
            data = zlib.decompress(data, -zlib.MAX_WBITS)
        file = BytesIO(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = read_dataset(file, uid.is_implicit_VR, uid.is_little_endian, stop_when=_counting(most_elements))
    except BadReply:
        raise
    except Exception as exc:
        raise BadReply("a data set of its can't be decoded.") from exc
    # pydicom takes what is cut short, or followed by other things, for the whole.
    if file.tell() != len(data) or not ds or any(map(_is_cut, ds.values())):
        raise BadReply("a data set of its is cut short or no data set.")
    return ds


def _counting(most: int | None) -> Callable[[BaseTag, str | None, int], bool] | None:
    if most is None:
        return None
    count = itertools.count(1)

    def is_over(_tag: BaseTag, _vr: str | None, _length: int) -> bool:
        if next(count) > most:
            raise BadReply(f"an answer of its has over {most} elements.")
        return False

    return is_over


def _is_cut(element: DataElement | RawDataElement) -> bool:
    if not isinstance(element, RawDataElement) or element.value is None:
        return False
    return element.length not in (len(element.value), _UNDEFINED_LENGTH)


def decode_identifier(data: bytes, transfer_syntax: str, most: int) -> Dataset:
    """The data set of an answer, every value of it decoded. Raises BadReply for none."""
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        data, transfer_syntax = _inflated(data, most), ExplicitVRLittleEndian
    ds = decode_data(data, transfer_syntax, MOST_ELEMENTS)
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
