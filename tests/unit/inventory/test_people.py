"""Which mail addresses a person may have, and which names are one person's."""

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.inventory.people.domain import Email, Roles, check_is_person, mailbox, one_name_each
from shared.errors import Forbidden
from shared.mail_address import wire_address

email = TypeAdapter(Email)
roles = TypeAdapter(Roles)


@pytest.mark.parametrize(
    "text",
    [
        "ada.berg@north.example.org",
        "pacs+alerts@localhost",
        "radiologie@klinikum-münchen.example",
        "jürgen@example.org",
        "o'brien@example.org",
        "a" * 64 + "@example.org",
    ],
)
def test_addresses_that_mail_can_reach_are_taken_as_they_are(text: str) -> None:
    """Plus signs, intranet names, international names."""
    assert email.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "ada@north@example.org",
        "ada berg@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org\n",
        "ada\u0000@example.org",
        "<ada@example.org>",
        "Ada <ada@example.org>",
        "ada@example.org,eve@example.org",
        '"ada@x"@example.org',
        "ada@[127.0.0.1]",
        "ada..berg@example.org",
        "ada@exa mple.org",
        "ada@-example.org",
        "a" * 65 + "@example.org",
        "ada@" + ".".join(["a" * 60] * 5),
    ],
)
def test_addresses_that_mail_cannot_reach_are_refused(text: str) -> None:
    """No lists, no names, no quoting, no line breaks, one @."""
    with pytest.raises(ValidationError):
        email.validate_python(text)


@given(st.text(max_size=300))
def test_whatever_is_taken_can_be_put_on_the_wire(text: str) -> None:
    """One line, at most 254 characters, and SMTP has a form for it."""
    try:
        address = email.validate_python(text + "@example.org")
    except ValidationError:
        return
    assert wire_address(address) is not None
    assert len(address) <= 254
    assert address.isprintable()


def test_spellings_of_one_mailbox_are_the_same() -> None:
    """Upper case and A-labels make no second mailbox."""
    assert mailbox("Ada@Klinik-München.example") == mailbox("ada@xn--klinik-mnchen-3ob.example")
    assert mailbox("ada@example.org") != mailbox("eda@example.org")


def test_roles_are_each_there_once() -> None:
    """At least one, in a fixed order, and only those that there are."""
    assert roles.validate_python(["clinician", "admin", "clinician"]) == ["admin", "clinician"]
    for wrong in ([], ["nurse"], "admin"):
        with pytest.raises(ValidationError):
            roles.validate_python(wrong)


def test_actors_who_share_a_mark_are_one_person() -> None:
    """Also over others between them; who shares none is somebody else, and nobody is nobody."""
    marks = {"ada": {"login ada", "mailbox a"}, "key:x": {"login key:x", "login ada.b"}, "bo": {"login bo"}}
    between = {"ada.b": {"login ada.b", "mailbox a"}}
    assert one_name_each(marks | between) == {"ada": "ada", "ada.b": "ada", "key:x": "ada", "bo": "bo"}
    assert len(set(one_name_each(marks).values())) == 3
    assert one_name_each({}) == {}


@pytest.mark.parametrize(
    ("actor", "is_one"), [("ada", True), ("monkey:x", True), ("key:x", False), ("service:x", False)]
)
def test_programs_are_no_people(actor: str, is_one: bool) -> None:
    """Whoever stands behind them."""
    with nullcontext() if is_one else pytest.raises(Forbidden):
        check_is_person(actor)
