"""The conformance matrix: what is asked for, how it is spread, and how two matrices differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom.uid import UID

from services.probes.conformance.domain import (
    MOST_CONTEXTS,
    UNANSWERED,
    Cell,
    Profile,
    Proposal,
    cell,
    differences,
    proposals,
    spread,
)
from services.probes.kinds.storage_classes import STORAGE, USUAL, VERIFICATION

PROFILES = st.builds(
    Profile,
    profile=st.sampled_from(["archive", "modality", "workstation"]),
    modalities=st.lists(st.sampled_from(sorted(STORAGE)), max_size=6).map(tuple),
    transfer_syntaxes=st.lists(
        st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"]), min_size=1
    ).map(tuple),
    needed=st.lists(st.sampled_from([VERIFICATION, *STORAGE["CT"]])).map(tuple),
)
CELLS = st.lists(
    st.builds(
        cell,
        st.builds(Proposal, st.sampled_from(STORAGE["RT"]), st.sampled_from(["1.2", "1.2.3"]), st.booleans()),
        st.integers(0, 4),
    ),
    unique_by=lambda one: (one.sop_class, one.transfer_syntax),
)


@given(PROFILES)
def test_every_pair_is_asked_once_and_fits_into_its_association(profile: Profile) -> None:
    """At most 128 contexts in one association, all proposals in all of them, in their order."""
    asked = proposals(profile)
    assert len({(one.sop_class, one.transfer_syntax) for one in asked}) == len(asked)
    parts = spread(asked)
    assert [one for part in parts for one in part] == asked
    assert all(1 <= len(part) <= MOST_CONTEXTS for part in parts)


@given(PROFILES)
def test_what_is_needed_is_asked_for_in_every_transfer_syntax_that_is_required(profile: Profile) -> None:
    """Every role must answer to Verification, an archive take all storage of its modalities."""
    needed = {(one.sop_class, one.transfer_syntax) for one in proposals(profile) if one.is_needed}
    must = {VERIFICATION, *profile.needed}
    if profile.profile == "archive":
        must |= {sop_class for modality in profile.modalities for sop_class in STORAGE[modality]}
    assert {(sop_class, "1.2.840.10008.1.2") for sop_class in must} <= needed


@given(CELLS, CELLS)
def test_differences_say_all_that_changed(before: list[Cell], after: list[Cell]) -> None:
    """Of two matrices, and the other way round; none between a matrix and itself."""
    assert differences(after, after) == []
    forth = {(one.sop_class, one.transfer_syntax): one for one in differences(before, after)}
    back = {(one.sop_class, one.transfer_syntax): one for one in differences(after, before)}
    assert set(forth) == set(back)
    assert all((one.before, one.after) == (back[pair].after, back[pair].before) for pair, one in forth.items())
    told = {(one.sop_class, one.transfer_syntax): one.why for one in before}
    told |= {pair: one.after for pair, one in forth.items() if one.after is not None}
    gone = {pair for pair, one in forth.items() if one.after is None}
    assert {pair: why for pair, why in told.items() if pair not in gone} == {
        (one.sop_class, one.transfer_syntax): one.why for one in after
    }


def test_answers_are_told_in_the_words_of_the_standard() -> None:
    """PS3.8 Table 9-18; and silence, and what no table knows."""
    proposal = Proposal("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2", True)
    assert [cell(proposal, result).why for result in (0, 3, 4, UNANSWERED, 9)] == [
        "accepted",
        "abstract syntax not supported",
        "transfer syntaxes not supported",
        "not answered",
        "reserved result 9",
    ]
    assert (cell(proposal, 0).is_missing, cell(proposal, 3).is_missing) == (False, True)


def test_all_listed_classes_are_storage_classes_of_the_standard() -> None:
    """Each is known by name."""
    for modality in (*STORAGE, *USUAL):
        for sop_class in STORAGE[modality]:
            assert UID(sop_class).name.endswith("Storage") or "Storage - For" in UID(sop_class).name


@pytest.mark.parametrize("uid", ["", "1.2.x", "1." * 40, "1..2"])
def test_what_is_no_uid_is_refused(uid: str) -> None:
    """Before it is proposed to anybody."""
    with pytest.raises(ValidationError):
        Profile(sop_classes=(uid,))
