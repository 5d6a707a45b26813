"""The words that kinds of DICOM use."""

from typing import Any, get_args

import pytest

from services.probes.conformance.dicom_conformance import DicomConformance
from services.probes.dicom import FailureClass
from services.probes.kinds.dicom_commitment import DicomCommitment
from services.probes.kinds.dicom_echo import DicomEcho
from services.probes.kinds.dicom_find import DicomFind
from services.probes.kinds.dicom_nodes import DicomAsking
from services.probes.kinds.dicom_retrieve import DicomRetrieve
from services.probes.kinds.dicom_roundtrip import DicomRoundtrip
from services.probes.kinds.dicom_statuses import STATUS_FAILURES

STATUS = {"dimse_status"}


def test_every_way_an_echo_can_end_is_explained() -> None:
    """Its one answer is the status."""
    assert set(get_args(FailureClass)) <= set(DicomEcho.failures)


@pytest.mark.parametrize("kind", [DicomFind, DicomRoundtrip, DicomRetrieve, DicomCommitment, DicomConformance])
def test_every_way_an_association_can_end_is_explained(kind: type[DicomAsking[Any]]) -> None:
    """A reader of an alert finds each word among its kind's failures."""
    assert set(get_args(FailureClass)) - STATUS <= set(kind.failures)
    assert kind is DicomConformance or set(STATUS_FAILURES) <= set(kind.failures)
