"""When two spellings are one name, and when they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.vendors.names import LEGAL_FORMS, distinct, spelling_of_product, spelling_of_vendor


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Philips", "PHILIPS"),
        ("Philips", "Philips B.V."),
        ("Northlight Imaging GmbH & Co. KG", "northlight-imaging"),
        ("Esaote S.p.A.", "Esaote SpA"),
        ("Merge Healthcare, Inc.", "Merge  Healthcare Incorporated"),
        ("Sectra AB", "Sectra"),
        ("ＮＥＣ Corporation", "NEC Corp"),
        ("Agfa-Gevaert N.V.", "AGFA GEVAERT"),
    ],
)
def test_case_punctuation_and_legal_form_do_not_matter(one: str, other: str) -> None:
    """However a vendor is spelled in those, it is the same."""
    assert spelling_of_vendor(one) == spelling_of_vendor(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Philips", "Phillips"), ("Siemens", "Siemens Healthineers"), ("Müller", "Mueller")]
)
def test_nothing_else_is_guessed(one: str, other: str) -> None:
    """What only looks alike is another vendor, until a person enters it as an alias."""
    assert spelling_of_vendor(one) != spelling_of_vendor(other)


def test_a_name_is_never_used_up() -> None:
    """A vendor that is called like a legal form, or by signs alone, keeps a spelling of its own."""
    assert spelling_of_vendor("SE") == "se"
    assert spelling_of_vendor("Co. Ltd.") == "co"
    assert spelling_of_vendor("!!!") == "!!!"


def test_a_product_keeps_what_would_be_a_legal_form() -> None:
    """Archive SE is another product than Archive."""
    assert spelling_of_product("Archive-SE") == spelling_of_product("archive se") != spelling_of_product("Archive")


def test_aliases_that_say_nothing_new_are_dropped() -> None:
    """Those that are the name in another spelling, and those that stand there twice."""
    assert distinct("Philips", ["PHILIPS N.V.", "Phillips", "phillips", "Royal Philips"]) == [
        "Phillips",
        "Royal Philips",
    ]


@given(st.text(min_size=1, max_size=50), st.sampled_from(sorted(LEGAL_FORMS)))
def test_a_legal_form_behind_any_name_changes_nothing(name: str, form: str) -> None:
    """For whatever name that has a word; a spelling of a spelling is that spelling."""
    spelling = spelling_of_vendor(name)
    assert spelling_of_vendor(spelling) == spelling
    if any(char.isalnum() for char in spelling):
        assert spelling_of_vendor(f"{spelling} {form}") == spelling
