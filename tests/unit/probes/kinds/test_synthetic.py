"""Synthetic images and reports: valid, nobody's, and the same content for the same UID."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID

from services.probes.kinds.dicom_roundtrip import DicomRoundtripSettings, chosen
from services.probes.kinds.synthetic import (
    PATIENT_ID,
    content_of,
    ct_image,
    pixels_of,
    term_of,
    text_report,
    uid_of,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = DicomRoundtripSettings(host="h", port=104, ae_title="A")


def written(ds: Dataset) -> Dataset:
    """What is read of it again."""
    file = BytesIO()
    dcmwrite(file, ds, enforce_file_format=True)
    file.seek(0)
    return dcmread(file)


@pytest.mark.parametrize("make", [ct_image, text_report])
def test_instance_is_written_and_read_unchanged(make: object) -> None:
    """As a DICOM file; content, UIDs and the patient that nobody is."""
    ds = ct_image("2.25.1", "2.25.2", 1) if make is ct_image else text_report("2.25.1", "2.25.2", 1)
    back = written(ds)
    assert content_of(back) == content_of(ds) != b""
    assert (back.SOPInstanceUID, back.StudyInstanceUID, back.PatientID) == ("2.25.2", "2.25.1", PATIENT_ID)
    assert "SYNTHETIC" in str(back.PatientName)


def test_content_follows_from_the_uid() -> None:
    """Two makings of one UID are the same, two UIDs differ, and the length is what an image needs."""
    assert ct_image("1", "2.25.2", 1) == ct_image("1", "2.25.2", 1)
    assert pixels_of("2.25.2", 100) != pixels_of("2.25.3", 100)
    assert len(ct_image("1", "2", 1, size=64).PixelData) == 2 * 64 * 64


def test_uids_are_valid_and_depend_on_every_word() -> None:
    """2.25 and an integer of at most 39 digits, without leading zeros."""
    uids = {uid_of("a", "b"), uid_of("ab"), uid_of("a", "c"), uid_of("b", "a")}
    assert len(uids) == 4
    assert all(UID(uid).is_valid and len(uid) <= 64 for uid in uids)


def test_ring_is_closed_and_renewed() -> None:
    """As many instances as it has places, of one study, others after the term; without renewal always the same."""
    places = [chosen(SETTINGS, NOW, place).ds for place in range(SETTINGS.ring)]
    assert len({ds.SOPInstanceUID for ds in places}) == SETTINGS.ring
    later = [chosen(SETTINGS, NOW + timedelta(days=40), place).ds for place in range(SETTINGS.ring)]
    assert {ds.SOPInstanceUID for ds in places}.isdisjoint({ds.SOPInstanceUID for ds in later})
    assert len({ds.StudyInstanceUID for ds in (*places, *later)}) == 1
    assert term_of(NOW, 0) == term_of(NOW + timedelta(days=4000), 0)


def test_each_archive_and_check_has_a_study_of_its_own() -> None:
    """So that nothing that one archive forwards is taken for what another stored."""
    others = [SETTINGS.model_copy(update=change) for change in ({"ae_title": "B"}, {"label": "x"}, {"object": "sr"})]
    studies = {chosen(one, NOW, 0).ds.StudyInstanceUID for one in (SETTINGS, *others)}
    assert len(studies) == 4
