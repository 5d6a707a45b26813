"""MDS2 forms, wherever their makers have put the columns."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from services.inventory.documents.markup import NotTaken
from services.inventory.software.questionnaire import Answer, lacking, read_json, read_sheets
from services.inventory.software.workbook import read_rows
from tests.unit.inventory.software.boms import ANSWERS, mds2_json, mds2_workbook


def read(raw: bytes) -> list[Answer]:
    """The answers of a workbook."""
    return read_sheets(read_rows(io.BytesIO(raw)))


@pytest.mark.parametrize("column", [2, 3, 6])
def test_answers_are_found_in_whatever_column(column: int) -> None:
    """By the words of the form; the note stands under its heading."""
    found = {one.question: one for one in read(mds2_workbook(column=column))}
    assert list(found) == [question for question, _ in ANSWERS]
    words = {one.answer for one in found.values()}
    assert words == {"yes", "no", "see_note", "not_applicable", "text"}
    assert (found["TXCF-1"].note, found["DOC-1"].text) == ("TLS only", "Northlight Imaging")


def test_form_in_json_says_the_same() -> None:
    """As far as it has no notes."""
    assert read_json(mds2_json()) == read(mds2_workbook(note=""))


def test_lacking_are_security_capabilities_answered_no() -> None:
    """That a device keeps no personal data (MPII) lacks nothing."""
    [found] = lacking(read(mds2_workbook()))
    assert (found.question, found.capability) == ("ALOF-1", "automatic logoff")


def test_formula_is_no_answer() -> None:
    """It is refused by the question where it stands; elsewhere it is not looked at."""
    book = load_workbook(io.BytesIO(mds2_workbook()))
    sheet = book.worksheets[0]
    sheet["J1"] = "=1+1"
    raw = io.BytesIO()
    book.save(raw)
    assert read(raw.getvalue()) == read(mds2_workbook())
    sheet["C3"] = '=IF(TRUE,"Yes","No")'
    book.save(raw := io.BytesIO())
    with pytest.raises(NotTaken, match=r"AUTH-1\.1 by a text"):
        read(raw.getvalue())


def test_two_answers_to_one_question_are_refused() -> None:
    """The same twice is one."""
    assert read(mds2_workbook([*ANSWERS, ANSWERS[0]])) == read(mds2_workbook())
    with pytest.raises(NotTaken, match="answer ALOF-1 once"):
        read(mds2_workbook([*ANSWERS, ("ALOF-1", "Yes")]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PK\x03\x04",
        mds2_workbook([]),
        mds2_workbook(ANSWERS[:3]),
        mds2_workbook([("a", "Yes")] * 20),
        mds2_workbook()[:-100],
    ],
)
def test_other_workbooks_are_refused(raw: bytes) -> None:
    """Also broken ones."""
    with pytest.raises(NotTaken):
        read(raw)


@given(st.lists(st.lists(st.sampled_from(["", "AUTH-1.1", "DOC-2", "Yes", "no", "Note", "x", "=1"]), max_size=6)))
def test_any_rows_are_read_or_refused(rows: list[list[str]]) -> None:
    """Whatever stands where."""
    try:
        found = read_sheets([rows])
    except NotTaken:
        return
    assert len({one.question for one in found}) == len(found)


@given(st.binary(max_size=60), st.integers(0, 4000))
def test_spoilt_workbooks_are_read_or_refused(spoilt: bytes, at: int) -> None:
    """Bytes that were changed anywhere."""
    raw = mds2_workbook()
    at = at % len(raw)
    try:
        read(raw[:at] + spoilt + raw[at + len(spoilt) :])
    except NotTaken:
        return


@given(st.recursive(st.none() | st.text() | st.integers(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_any_json_is_read_or_refused(value: object) -> None:
    """It must be an object with answers."""
    for told in (value, {"answers": value}, {"answers": [value]}):
        with pytest.raises(NotTaken):
            read_json(json.dumps(told).encode())
