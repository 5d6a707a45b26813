"""Names of files: what is a name, and what is a disguise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from services.inventory.documents.names import MAX_NAME, SUFFIXES, parse_file_name, suffix_of


@pytest.mark.parametrize(
    "name", ["manual.pdf", "Handbuch größe 2.PDF", "v1.2.3 (final).docx", "bom.cdx.json", "取扱説明書.pdf", "a.b.c.txt"]
)
def test_ordinary_names_are_taken_as_they_are(name: str) -> None:
    """Dots, spaces, brackets and any script."""
    assert parse_file_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "pdf", ".pdf", "manual", "manual.", "a.pdf ", " a.pdf", "-rf.pdf", "~lock.docx", "..pdf"),
        *("a/b.pdf", "a\\b.pdf", "../a.pdf", "C:a.pdf", "a\x00.pdf", "a\n.pdf", "a\u202efdp.pdf", "a\u200b.pdf"),
        *("a.pdf\u2028.pdf", "a?.pdf", "a|b.pdf", 'a".pdf', "<a>.pdf", "a*.pdf"),
        *("con.pdf", "PRN.txt", "Aux.v2.pdf", "nul .pdf", "com1.pdf", "LPT9.csv", "com¹.pdf"),
        *("a.exe", "a.pdf.exe", "a.exe.pdf", "a.EXE .pdf", "a.js.txt", "a.pdf.pdf", "a.xlsm", "a.docm", "a.html"),
        *("a.svg", "a.zip", "a.hta.csv", "x" * MAX_NAME + ".pdf"),
    ],
)
def test_disguises_are_refused(name: str) -> None:
    """With a rule and an example that is taken itself."""
    with pytest.raises(PydanticCustomError) as refused:
        parse_file_name(name)
    assert refused.value.message_template.startswith("must")
    assert parse_file_name((refused.value.context or {})["example"])


@given(st.text(max_size=40), st.sampled_from(["", ".pdf", ".txt", ".exe"]))
def test_any_text_is_a_name_or_refused(text: str, ending: str) -> None:
    """What is taken has no path, no control character and an ending that is known; taken again it stays the same."""
    try:
        name = parse_file_name(text + ending)
    except PydanticCustomError:
        return
    assert suffix_of(name) in SUFFIXES
    assert not set(name) & set("/\\:\x00\r\n\u202e")
    assert parse_file_name(name) == name
