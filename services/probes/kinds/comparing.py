"""Is the image or report that an archive gives back the one that it was given? Compressed pixels are decoded for it."""

import asyncio
import hashlib
import sys
from array import array
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import StatisticsError, correlation
from typing import Literal

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from services.probes.dicom import UNCOMPRESSED
from services.probes.kinds.attempt import failed
from services.probes.kinds.decoder import DAMAGED, NO_DECODER
from services.probes.kinds.synthetic import content_of
from shared.events.probes import Outcome
from shared.programs import output_of, running

COMPRESSED: tuple[str, ...] = (
    *(JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEG2000Lossless, RLELossless),
    *(JPEGLSNearLossless, JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit),
)
"""The transfer syntaxes of compressed images that can come back and be compared."""

LOSSY = {JPEGLSNearLossless, JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit}
COMPARING_FAILURES = {
    "altered": "what came back is not what was stored",
    "lossy": "the image came back compressed so that its pixels have changed; `lossy` says how bad that is",
    "not_comparable": "degraded: it came back compressed in a way that is not decoded here",
}
WhenLossy = Literal["ok", "degraded", "failed"]

_DECODER = Path(__file__).with_name("decoder.py")
_SHAPE = ("Rows", "Columns", "SamplesPerPixel")
_SAMPLES = ("BitsAllocated", "BitsStored", "PixelRepresentation")
# Two images of noise correlate by 0, and an image with its lossy copy by nearly 1.
_SAME_IMAGE = 0.5
_COMPARED_PIXELS = 1024


@dataclass(frozen=True, slots=True)
class Compared:
    """What the comparison says; ``sha256`` is that of the content where it is unchanged, pixels decoded."""

    outcome: Outcome
    failure: str | None
    detail: str
    sha256: str = ""


async def compare(sent: Dataset, back: Dataset, when_lossy: WhenLossy) -> Compared:
    """What came back against what was stored. Raises Ended ``altered`` when it is something else."""
    syntax = str(back.file_meta.get("TransferSyntaxUID", ""))
    if syntax in UNCOMPRESSED or syntax == DeflatedExplicitVRLittleEndian:
        return _unchanged(sent, _content(back), back)
    if syntax not in COMPRESSED or "PixelData" not in sent:
        return _not_comparable(syntax)
    pixels = await _decoded(_image_of(back, syntax), 2 * len(sent.PixelData))
    if pixels is None:
        return _not_comparable(syntax)
    if pixels != sent.PixelData and (syntax in LOSSY or back.get("LossyImageCompression") == "01"):
        return _lossy(sent, back, pixels, when_lossy)
    return _unchanged(sent, pixels, back)


def _unchanged(sent: Dataset, content: bytes, back: Dataset) -> Compared:
    names = (*_SHAPE, *_SAMPLES) if "PixelData" in sent else ()
    if content != content_of(sent) or any(back.get(name) != sent.get(name) for name in names):
        raise _altered(sent)
    detail = "What was stored was found and came back unchanged."
    return Compared("ok", None, detail, hashlib.sha256(content).hexdigest())


def _content(back: Dataset) -> bytes:
    try:
        return content_of(back)
    except Exception:  # pydicom decodes an element when it is asked for, and raises anything over bad bytes
        return b""


def _lossy(sent: Dataset, back: Dataset, pixels: bytes, when_lossy: WhenLossy) -> Compared:
    if any(back.get(name) != sent.get(name) for name in _SHAPE) or _likeness(sent.PixelData, pixels) < _SAME_IMAGE:
        raise _altered(sent)
    by = back.file_meta.TransferSyntaxUID.name
    detail = f"What was stored was found, and came back with other pixels: {by} kept not all of them."
    return Compared(when_lossy, None if when_lossy == "ok" else "lossy", detail)


def _likeness(sent: bytes, pixels: bytes) -> float:
    """How far the pixels correlate, be those that came back of 8 bits or of 16."""
    ours, theirs = array("H", sent), array("B" if len(pixels) < len(sent) else "H", pixels)
    step = max(1, len(ours) // _COMPARED_PIXELS)
    try:
        return correlation(ours[::step], theirs[::step])
    except StatisticsError:
        return 0.0


def _not_comparable(syntax: str) -> Compared:
    detail = f"What was stored was found, and came back in transfer syntax {syntax[:64]}, which is not decoded here."
    return Compared("degraded", "not_comparable", detail)


def _altered(sent: Dataset) -> Exception:
    what = "pixels" if "PixelData" in sent else "words"
    return failed(
        "altered", f"retrieve: the {what} that came back are not those that were stored.", {"step": "compare"}
    )


def _image_of(back: Dataset, syntax: str) -> bytes:
    """A file with no more of the data set than its pixels need."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = UID(syntax)
    image.SOPClassUID, image.SOPInstanceUID = "1.2", "1.2"
    try:
        for name in (*_SHAPE, *_SAMPLES, "HighBit", "PhotometricInterpretation", "PixelData"):
            setattr(image, name, back[name].value)
        image["PixelData"].VR = "OB"
        image["PixelData"].is_undefined_length = True
        file = BytesIO()
        dcmwrite(file, image, enforce_file_format=True)
    except Exception as exc:  # pydicom raises anything over bad values
        raise failed("altered", "retrieve: what came back is no whole image.", {"step": "compare"}) from exc
    return file.getvalue()


async def _decoded(file: bytes, most: int) -> bytes | None:
    """The pixels; None where nothing here decodes them. Raises Ended for damaged ones."""
    async with running([sys.executable, "-I", str(_DECODER)], stdin=asyncio.subprocess.PIPE) as process:
        _, pixels, _ = await asyncio.gather(
            _give(process.stdin, file), output_of(process.stdout, most), output_of(process.stderr, most)
        )
        status = DAMAGED if pixels is None else await process.wait()
    if status == NO_DECODER:
        return None
    if status or pixels is None:
        raise failed("altered", "retrieve: the pixels that came back can't be decoded.", {"step": "compare"})
    return pixels


async def _give(stdin: asyncio.StreamWriter | None, data: bytes) -> None:
    if stdin is not None:
        with suppress(ConnectionError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()
