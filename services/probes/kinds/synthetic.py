"""Synthetic images and reports: valid, plainly nobody's, and with the same content whenever their UID is the same.

DICOM has one content for one SOP Instance UID (PS3.5 §9), so what a UID stands for here is worked out from the UID.
"""

import hashlib
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from services.probes.kinds.storage_classes import BASIC_TEXT_SR, CT_IMAGE

PATIENT_NAME = "STEWARD^SYNTHETIC^PROBE"
PATIENT_ID = "STEWARD-PROBE"
STUDY_DATE, STUDY_TIME = "20000101", "120000"


def uid_of(*parts: object) -> str:
    """A UID made from these words alone (PS3.5 §B.2: 2.25 and a UUID as an integer)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16])}"


def series_of(study_uid: str, modality: str) -> str:
    """The one series of that modality in a study."""
    return uid_of("series", study_uid, modality)


def term_of(now: datetime, renew_days: int) -> int:
    """Which renewal of the ring holds at ``now``; without renewal always the same."""
    return now.toordinal() // renew_days if renew_days else 0


def ct_image(study_uid: str, instance_uid: str, number: int, size: int = 128) -> Dataset:
    """A CT image (PS3.3 §A.3) of ``size`` × ``size`` pixels of 16 bits."""
    ds = _instance(CT_IMAGE, study_uid, instance_uid, number, "CT")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.FrameOfReferenceUID = uid_of("frame of reference", study_uid)
    ds.PositionReferenceIndicator = ""
    ds.KVP = ds.AcquisitionNumber = None
    ds.SliceThickness = "1"
    ds.PixelSpacing = ["1", "1"]
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.ImagePositionPatient = ["0", "0", str(number)]
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = pixels_of(instance_uid, 2 * size * size)
    ds["PixelData"].VR = "OW"
    return ds


def pixels_of(instance_uid: str, length: int) -> bytes:
    """The pixels of the image with that UID: noise, so that none of it can be guessed or shortened."""
    return hashlib.shake_256(instance_uid.encode()).digest(length)


def text_report(study_uid: str, instance_uid: str, number: int) -> Dataset:
    """A Basic Text SR (PS3.3 §A.35.1) with one paragraph."""
    ds = _instance(BASIC_TEXT_SR, study_uid, instance_uid, number, "SR")
    ds.ContentDate, ds.ContentTime = STUDY_DATE, STUDY_TIME
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([_code("18748-4", "LN", "Diagnostic imaging study")])
    ds.ContentSequence = Sequence([_paragraph(instance_uid)])
    return ds


def content_of(ds: Dataset) -> bytes:
    """What must come back unchanged: the pixels of an image, the words of a report."""
    if "PixelData" in ds:
        return bytes(ds.PixelData)
    return "\n".join(str(item.get("TextValue", "")) for item in ds.get("ContentSequence", ())).encode()


def _instance(sop_class: str, study_uid: str, instance_uid: str, number: int, modality: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.file_meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    ds.SOPClassUID, ds.SOPInstanceUID = UID(sop_class), UID(instance_uid)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_of(study_uid, modality)
    ds.PatientName, ds.PatientID = PATIENT_NAME, PATIENT_ID
    ds.PatientBirthDate, ds.PatientSex = "", "O"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = STUDY_DATE, STUDY_TIME, "STEWARD", ""
    ds.StudyDescription, ds.SeriesDescription = "Steward probe: synthetic", "Steward probe: synthetic"
    ds.ReferringPhysicianName = ""
    ds.Manufacturer = "Steward"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, 1, number
    return ds


def _paragraph(instance_uid: str) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = Sequence([_code("121071", "DCM", "Finding")])
    item.TextValue = f"Synthetic report {pixels_of(instance_uid, 32).hex()}. It is about nobody."
    return item


def _code(value: str, scheme: str, words: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, words
    return item
