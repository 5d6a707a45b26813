"""Images that come back compressed: by DCMTK's and GDCM's encoders, and from an Orthanc that transcodes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from services.probes.kinds.attempt import Ended
from services.probes.kinds.comparing import compare
from services.probes.kinds.synthetic import ct_image, text_report
from tests.integration.probes.kinds.asked import Asked, Here
from tests.parts.orthanc import Orthanc
from tests.parts.process import PartMissing, find_program, free_port

GDCMCONV = """
import sys, gdcm
reader = gdcm.ImageReader(); reader.SetFileName(sys.argv[1]); assert reader.Read()
change = gdcm.ImageChangeTransferSyntax(); change.SetInput(reader.GetImage())
change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEG2000Lossless)); assert change.Change()
writer = gdcm.ImageWriter(); writer.SetFileName(sys.argv[2]); writer.SetFile(reader.GetFile())
writer.SetImage(change.GetOutput()); assert writer.Write()
"""
LOSSLESS = {
    "JPEG Lossless SV1": ["dcmcjpeg", "+e1"],
    "JPEG Lossless": ["dcmcjpeg", "+el"],
    "JPEG-LS": ["dcmcjpls"],
    "RLE": ["dcmcrle"],
    "JPEG 2000": ["python", "-c", GDCMCONV],
}
LOSSY = {"JPEG-LS near-lossless": ["dcmcjpls", "+en"], "JPEG Baseline": ["dcmcjpeg", "+eb"]}
TRANSCODINGS = {
    "JPEG Lossless SV1": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG Lossless": "1.2.840.10008.1.2.4.57",
}


def image(number: int = 1) -> Dataset:
    """What a probe stores."""
    return ct_image("1.2.826.1", f"1.2.826.1.{number}", number)


def compressed(ds: Dataset, encoder: list[str], folder: Path) -> Dataset:
    """The image as the encoder makes it."""
    ds.save_as(folder / "plain.dcm", enforce_file_format=True)
    program = sys.executable if encoder[0] == "python" else find_program(encoder[0], package="dcmtk")
    subprocess.run([program, *encoder[1:], str(folder / "plain.dcm"), str(folder / "made.dcm")], check=True, timeout=60)
    made = dcmread(BytesIO((folder / "made.dcm").read_bytes()))
    assert made.file_meta.TransferSyntaxUID.is_compressed
    return made


@pytest.mark.parametrize("encoder", LOSSLESS)
async def test_lossless_image_is_decoded_and_found_unchanged(encoder: str, tmp_path: Path) -> None:
    """Whoever compressed it; its digest is that of the pixels, the same by every way."""
    compared = await compare(image(), compressed(image(), LOSSLESS[encoder], tmp_path), "failed")
    assert (compared.outcome, compared.failure) == ("ok", None)
    assert compared.sha256 == (await compare(image(), image(), "failed")).sha256


@pytest.mark.parametrize("encoder", LOSSLESS)
async def test_one_pixel_that_changed_before_it_was_compressed_is_found(encoder: str, tmp_path: Path) -> None:
    """A lossless compression excuses nothing."""
    changed = image()
    changed.PixelData = changed.PixelData[:-2] + bytes([changed.PixelData[-2] ^ 1, changed.PixelData[-1]])
    assert await altered(image(), compressed(changed, LOSSLESS[encoder], tmp_path))


@pytest.mark.parametrize("encoder", LOSSY)
@pytest.mark.parametrize("outcome", ["ok", "degraded", "failed"])
async def test_lossy_image_is_told_as_such_and_never_as_unchanged(encoder: str, outcome: Any, tmp_path: Path) -> None:
    """How bad that is, the settings say; there is no digest of what is not the same."""
    compared = await compare(image(), compressed(image(), LOSSY[encoder], tmp_path), outcome)
    assert (compared.outcome, compared.failure) == (outcome, None if outcome == "ok" else "lossy")
    assert "other pixels" in compared.detail
    assert not compared.sha256


@pytest.mark.parametrize("encoder", LOSSY)
async def test_lossy_compression_of_another_image_is_no_excuse(encoder: str, tmp_path: Path) -> None:
    """Pixels may be a little off, and still be of the image that was stored."""
    assert await altered(image(1), compressed(image(2), LOSSY[encoder], tmp_path))


async def test_what_is_not_decoded_here_is_told(tmp_path: Path) -> None:
    """JPEG of 12 bits has no decoder here, nor has a transfer syntax that nobody knows: that says nothing."""
    of_12_bits = compressed(image(), ["dcmcjpeg", "+ee"], tmp_path)
    unknown = image()
    unknown.file_meta.TransferSyntaxUID = UID("1.2.3.4")
    for back in (of_12_bits, unknown):
        compared = await compare(image(), back, "ok")
        assert (compared.outcome, compared.failure, compared.sha256) == ("degraded", "not_comparable", "")


def flood() -> bytes:
    """The start of a JPEG 2000 image that claims four thousand million pixels (ISO/IEC 15444-1 §A.5.1)."""
    size = (60_000).to_bytes(4) * 2 + bytes(8) + (60_000).to_bytes(4) * 2 + bytes(8)
    return bytes.fromhex("ff4fff51002f0000") + size + bytes.fromhex("0001 0f0101 ff52000c00000001000404040001 ff5c0004")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"])
@pytest.mark.parametrize("fragment", [bytes(2), b"garbage!" * 500, flood()], ids=["nothing", "garbage", "a flood"])
async def test_pixels_that_can_not_be_decoded_are_altered(syntax: str, fragment: bytes) -> None:
    """Whatever a peer writes there ends in its word, and what breaks over it is a program of its own."""
    back = image()
    back.file_meta.TransferSyntaxUID = UID(syntax)
    back.PixelData = encapsulate([fragment])
    assert await altered(image(), back)


async def test_report_that_claims_to_be_compressed_is_not_comparable() -> None:
    """It has no pixels that could be."""
    report = text_report("1.2.826.1", "1.2.826.1.1", 1)
    report.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.70")
    compared = await compare(text_report("1.2.826.1", "1.2.826.1.1", 1), report, "ok")
    assert compared.failure == "not_comparable"


async def altered(sent: Dataset, back: Dataset) -> bool:
    """Whether the comparison ends so."""
    with pytest.raises(Ended) as end:
        await compare(sent, back, "ok")
    return end.value.observation.failure == "altered" and end.value.observation.outcome == "failed"


@contextmanager
def transcoding(syntax: str, folder: Path, port: int) -> Iterator[Orthanc]:
    """An Orthanc that keeps every image in that transfer syntax, and speaks DICOMweb."""
    plugins = glob("/usr/lib/orthanc/libOrthancDicomWeb.so*")
    if not plugins:
        raise PartMissing("Orthanc's DICOMweb plugin is not installed: parts/install orthanc-dicomweb")
    known = {"steward": ("STEWARD", "127.0.0.1", port)}
    with Orthanc(folder, peers=known, plugins=plugins[:1], settings={"IngestTranscoding": syntax}) as archive:
        yield archive


@pytest.mark.parametrize("name", TRANSCODINGS)
async def test_archive_that_transcodes_gives_back_what_it_was_given(name: str, tmp_path: Path) -> None:
    """By C-GET, C-MOVE and WADO-RS it comes compressed, or not where that was asked; the pixels are the same."""
    (tmp_path / "secrets").mkdir()
    port = free_port()
    ask = Asked(Here(str(tmp_path / "secrets"), probe_listen_port=port))
    with transcoding(TRANSCODINGS[name], tmp_path / "orthanc", port) as archive:
        node = {"host": "127.0.0.1", "port": archive.port, "ae_title": archive.ae_title}
        runs: list[tuple[str, dict[str, Any]]] = [
            ("dicom-roundtrip", {**node, "retrieve": "get"}),
            ("dicom-roundtrip", {**node, "retrieve": "move"}),
            ("dicomweb", {"url": f"{archive.url}/dicom-web"}),
        ]
        for kind, settings in runs:
            seen = await ask(kind, settings)
            assert (seen.outcome, seen.failure) == ("ok", None), seen
            assert (seen.facts["transfer_syntax"], len(seen.facts["sha256"])) == (TRANSCODINGS[name], 64), seen
        plain = await ask("dicom-roundtrip", {**node, "retrieve": "get", "as_stored": False})
    assert (plain.outcome, plain.facts["transfer_syntax"]) == ("ok", "1.2.840.10008.1.2.1")
