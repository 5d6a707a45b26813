"""What each DIMSE status is taken for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.probes.kinds.dicom_statuses import STATUS_FAILURES, Operation, meaning, printed

OPERATIONS: tuple[Operation, ...] = ("store", "find", "get", "move")


@pytest.mark.parametrize(
    ("status", "operation", "outcome", "failure"),
    [
        (0x0000, "store", "ok", None),
        (0xA700, "store", "failed", "out_of_resources"),
        (0xA7FF, "store", "failed", "out_of_resources"),
        (0xA900, "store", "failed", "data_set_mismatch"),
        (0xB000, "store", "degraded", "coerced"),
        (0xB006, "store", "degraded", "elements_discarded"),
        (0xB007, "store", "degraded", "data_set_mismatch"),
        (0xC000, "store", "failed", "unable_to_process"),
        (0xA700, "find", "failed", "out_of_resources"),
        (0xA900, "find", "failed", "identifier_mismatch"),
        (0xC001, "find", "failed", "unable_to_process"),
        (0xA701, "get", "failed", "out_of_resources"),
        (0xA702, "move", "failed", "out_of_resources"),
        (0xA801, "move", "failed", "move_destination_unknown"),
        (0xB000, "move", "failed", "retrieved_with_failures"),
        (0xB000, "get", "failed", "retrieved_with_failures"),
        (0xFE00, "get", "failed", "cancelled"),
        (0x0122, "move", "failed", "sop_class_not_supported"),
        (0x0124, "find", "failed", "not_authorized"),
        (0x1234, "find", "failed", "dimse_status"),
    ],
)
def test_status_has_a_word(status: int, operation: Operation, outcome: str, failure: str | None) -> None:
    """PS3.4 §B.2.3 and §C.4, PS3.7 Annex C."""
    judged = meaning(status, operation)
    assert (judged.outcome, judged.failure) == (outcome, failure)


@given(st.integers(0, 0xFFFF), st.sampled_from(OPERATIONS))
def test_only_success_is_ok_and_every_word_is_explained(status: int, operation: Operation) -> None:
    """Nothing passes because nobody knew it."""
    judged = meaning(status, operation)
    assert (judged.outcome == "ok") == (status == 0)
    assert judged.failure is None or judged.failure in STATUS_FAILURES
    assert printed(status) == f"0x{status:04X}"
