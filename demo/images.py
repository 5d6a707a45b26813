"""Synthetic studies: small CT-like images of patients who never lived."""

import array
import math
import random
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIZE = 64
_AIR = 0
_TISSUE = 1040
_BONE = 1700
_FAMILY_NAMES = ("Alder", "Birch", "Cedar", "Hazel", "Linden", "Rowan", "Willow")
_GIVEN_NAMES = ("Ada", "Bela", "Caro", "Dana", "Eli", "Finn", "Gina")


def make_study(seed: str, taken_at: datetime, images: int = 3) -> list[Dataset]:
    """The images of one CT study with one series; the same seed gives the same patient, UIDs and pixels."""
    study = _study(seed, taken_at)
    return [_image(study, seed, number) for number in range(1, images + 1)]


def _study(seed: str, taken_at: datetime) -> Dataset:
    rng = random.Random(seed)  # noqa: S311 -- names for synthetic patients need no secrecy
    study = Dataset()
    study.SpecificCharacterSet = "ISO_IR 100"
    study.PatientName = f"{rng.choice(_FAMILY_NAMES)}^{rng.choice(_GIVEN_NAMES)}"
    study.PatientID = f"DEMO-{rng.randrange(100_000):05}"
    study.PatientBirthDate = f"{rng.randrange(1940, 2015)}0101"
    study.PatientSex = "O"
    study.StudyInstanceUID = generate_uid(entropy_srcs=[seed, "study"])
    study.SeriesInstanceUID = generate_uid(entropy_srcs=[seed, "series"])
    study.FrameOfReferenceUID = generate_uid(entropy_srcs=[seed, "frame"])
    study.StudyID = "1"
    study.SeriesNumber = 1
    study.AccessionNumber = f"A{rng.randrange(1_000_000):06}"
    study.ReferringPhysicianName = ""
    study.StudyDescription = "Simulated CT"
    study.StudyDate = study.SeriesDate = taken_at.strftime("%Y%m%d")
    study.StudyTime = study.SeriesTime = taken_at.strftime("%H%M%S")
    study.Modality = "CT"
    study.Manufacturer = "Steward demo"
    return study


def _image(study: Dataset, seed: str, number: int) -> Dataset:
    image = Dataset()
    image.update(study)
    image.SOPClassUID = CTImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=[seed, "image", str(number)])
    image.InstanceNumber = number
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.ImagePositionPatient = [-32, -32, 5 * number]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing = [1, 1]
    image.SliceThickness = 5
    image.KVP = 120
    image.AcquisitionNumber = 1
    _add_pixels(image, number)
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def _add_pixels(image: Dataset, number: int) -> None:
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows = image.Columns = SIZE
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit = 15
    image.PixelRepresentation = 0
    image.RescaleIntercept = -1024
    image.RescaleSlope = 1
    image.PixelData = _pixels(number)


def _pixels(number: int) -> bytes:
    """A bone ring around soft tissue, that widens from slice to slice (PS3.5 §8.1.1: 16 bits, little endian)."""
    radius = SIZE * 0.3 + number
    middle = (SIZE - 1) / 2
    values = array.array("H")
    for row in range(SIZE):
        for column in range(SIZE):
            distance = math.hypot(row - middle, column - middle)
            values.append(_AIR if distance > radius else _BONE if distance > radius - 3 else _TISSUE + row)
    if values.itemsize != 2 or array.array("H", [1]).tobytes() != b"\x01\x00":
        values.byteswap()
    return values.tobytes()
