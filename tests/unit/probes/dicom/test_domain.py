"""How rejections and aborts read."""

from services.probes.dicom.domain import Abort, Rejection


def test_a_rejection_reads_in_the_words_of_the_standard() -> None:
    assert Rejection(1, 1, 7).text == "rejected-permanent: called-AE-title-not-recognized, by the DICOM UL service-user"
    assert Rejection(2, 3, 1).text == (
        "rejected-transient: temporary-congestion, by the DICOM UL service-provider (Presentation related function)"
    )
    assert Rejection(9, 9, 9).text == "reserved: reserved, by the reserved"


def test_the_reason_of_an_abort_counts_only_from_the_provider() -> None:
    assert Abort(2, 1).text == "DICOM UL service-provider, unrecognized-PDU"
    assert Abort(0, 1).text == "DICOM UL service-user"
