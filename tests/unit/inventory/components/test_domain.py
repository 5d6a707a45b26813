"""Rules of components: spellings, what fits into what, dates."""

import string
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.assets.domain import Component
from services.inventory.components.domain import (
    HOLDERS,
    NESTING,
    check_facts,
    check_fits,
    check_no_ring,
    kept_maker_keys,
    key_of,
    maker_key,
    search_text,
    search_words,
    serial_key,
)
from services.inventory.vendors.names import LEGAL_FORMS, Makers, spelling_of_vendor
from shared.errors import Conflict, Malformed
from shared.events.inventory import ComponentType

TODAY = date(2026, 3, 1)
VENDOR, OTHER = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11", "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b12"
types = st.sampled_from(get_args(ComponentType))
texts = st.text(min_size=1, max_size=30)


def component(name: str = "a part", kind: ComponentType = "server", **facts: Any) -> Component:
    """A component with these facts and no others."""
    return Component.model_validate(
        dict.fromkeys(Component.model_fields)
        | {"id": name, "site_id": "north", "name": name, "type": kind, "state": "in_service", "version": 1}
        | {"kind": "component", "fields": {}, "counts_as_copy": False}
        | facts
    )


@given(st.text(string.ascii_letters + string.digits, min_size=1), st.sampled_from(["", " ", "-", "–", "_", " - "]))
def test_case_spaces_and_dashes_do_not_tell_serials_apart(text: str, between: str) -> None:
    """However a number is broken up; and the key of a key is itself."""
    assert serial_key(between.join(text).swapcase()) == serial_key(text) == text.lower()


@given(st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=30))
def test_width_of_letters_does_not_tell_serials_apart(text: str) -> None:
    """What is ASCII throughout, and is folded in a shorter way, has the key of its full-width spelling."""
    wide = "".join(chr(ord(char) + 0xFEE0) for char in text)
    assert (serial_key(wide), key_of(wide)) == (serial_key(text), key_of(text))


@given(st.text(st.characters(max_codepoint=0x24F), min_size=1, max_size=30))
def test_key_of_a_serial_is_its_own_key(text: str) -> None:
    """In any European spelling."""
    key = serial_key(text)
    assert key is not None
    assert serial_key(key) == key


def test_serial_that_is_only_dashes_keeps_them() -> None:
    """It is no number like any other, but it is not nothing."""
    assert serial_key("---") == "---"
    assert (serial_key(None), key_of(None)) == (None, None)


@given(st.lists(texts, max_size=5), st.lists(texts, max_size=5), texts, st.sampled_from(["north", "south"]))
def test_one_vendor_has_one_key_and_no_other_has_it(
    names: list[str], others: list[str], unknown: str, site_id: str
) -> None:
    """By its product and by each of its names; what is kept from before the catalogue knew a name is found too."""
    spellings = {spelling_of_vendor(name): OTHER for name in others} | {spelling_of_vendor(n): VENDOR for n in names}
    makers = Makers(spellings, {"theirs": VENDOR, "another": OTHER})
    key = maker_key(None, "theirs", site_id, makers)
    assert {maker_key(name, None, site_id, makers) for name in names} <= {key}
    assert maker_key(unknown, "theirs", site_id, makers) == key != maker_key(None, "another", site_id, makers)
    kept = set(kept_maker_keys(key, makers))
    assert kept == {key, *(maker_key(name, None, site_id, Makers()) for name in names)}
    if spelling_of_vendor(unknown) not in spellings:
        assert maker_key(unknown, None, site_id, makers) not in kept


@given(texts, st.sampled_from(sorted(LEGAL_FORMS)), st.sampled_from(["north", "south"]))
def test_unknown_maker_is_one_over_all_sites_and_no_maker_is_one_of_a_site(name: str, form: str, site_id: str) -> None:
    """Whatever it is called, it is no site and no vendor of the catalogue."""
    key = maker_key(name, None, site_id, Makers())
    if name.isascii() and name.isalpha():
        assert key == maker_key(f"{name.upper()} {form}", None, "elsewhere", Makers())
    none = maker_key(None, None, site_id, Makers())
    assert none != maker_key(None, None, "elsewhere", Makers())
    assert key not in {none, maker_key(None, "p", site_id, Makers(products={"p": name}))}


@given(texts)
def test_name_has_one_key(text: str) -> None:
    """Case and width of spaces don't matter."""
    assert key_of(f"  {text.upper()}  ") == key_of(text.upper())
    assert key_of(key_of(text)) == key_of(text)


@given(st.text(string.ascii_letters + string.digits + "äöüÅßéøλд", min_size=3, max_size=20))
def test_what_is_searched_for_by_its_own_name_is_found(name: str) -> None:
    """Whatever it is written in; in ASCII, in whatever case."""
    text = search_text(component(name))
    for asked in (name, name.swapcase() if name.isascii() else name):
        assert all(word in text for word in search_words(asked))


@pytest.mark.parametrize("text", ["", " ", "a b", "%%%", "-- ..", "ab-cd"])
def test_search_without_a_word_to_look_up_is_refused(text: str) -> None:
    """Three letters or digits in a row are the least that the index can find."""
    with pytest.raises(Malformed):
        search_words(text)


@given(types, types)
def test_types_are_installed_as_the_table_says(inner: ComponentType, outer: ComponentType) -> None:
    """And nowhere else."""
    if outer in HOLDERS[inner]:
        check_fits(component(kind=inner), component(kind=outer))
    else:
        with pytest.raises(Malformed):
            check_fits(component(kind=inner), component(kind=outer))


def test_table_has_no_ring_but_of_one_type() -> None:
    """So that only what nests in its own type must be kept from closing one."""
    assert set(HOLDERS) == set(get_args(ComponentType))

    def reaches(kind: ComponentType, seen: tuple[ComponentType, ...]) -> bool:
        return any(holder in seen or reaches(holder, (*seen, holder)) for holder in HOLDERS[kind] - {kind})

    assert not any(reaches(kind, (kind,)) for kind in HOLDERS)
    assert {kind for kind in HOLDERS if kind in HOLDERS[kind]} == NESTING


@given(st.lists(st.sampled_from("abcdef"), max_size=6, unique=True))
def test_component_is_never_inside_itself(line: Sequence[str]) -> None:
    """A line that meets it is refused with the way round; any other is not."""
    holders = [component(name) for name in line]
    if "a" in line:
        with pytest.raises(Conflict) as refused:
            check_no_ring(component("a"), holders)
        assert refused.value.extra["cycle"] == ["a", *line[: line.index("a") + 1]]
    else:
        check_no_ring(component("a"), holders)


@given(st.dates())
def test_purchase_lies_between_1980_and_today(day: date) -> None:
    """Of the site's calendar; both ends are in."""
    if date(1980, 1, 1) <= day <= TODAY:
        check_facts(component(purchase_date=day), TODAY)
    else:
        with pytest.raises(Malformed):
            check_facts(component(purchase_date=day), TODAY)


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("ups", {"media_type": "ssd"}),
        ("drive", {"raid_level": "5"}),
        ("battery", {"capacity_bytes": 1}),
        ("ups", {"purchase_date": TODAY, "warranty_until": TODAY - timedelta(days=1)}),
    ],
)
def test_fact_that_a_type_does_not_have_is_refused(kind: ComponentType, facts: dict[str, Any]) -> None:
    """Nor does a warranty end before it begins."""
    with pytest.raises(Malformed):
        check_facts(component(kind=kind, **facts), TODAY)
