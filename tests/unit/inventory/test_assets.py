"""How a DICOM node is addressed."""

import re
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.inventory.assets.domain import AeTitle, Host, Port

ae_title = TypeAdapter(AeTitle)
host = TypeAdapter(Host)
port = TypeAdapter(Port)

LONGEST_NAME = ".".join(["a" * 63] * 3 + ["b" * 61])


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\"), max_size=20))
def test_default_repertoire_of_at_most_16_characters_is_an_ae_title(text: str) -> None:
    """All of PS3.5 §6.2 AE is taken, without the spaces around it; nothing that is longer or empty is."""
    significant = text.strip(" ")
    if 1 <= len(significant) <= 16:
        assert ae_title.validate_python(text) == significant
    else:
        with pytest.raises(ValidationError):
            ae_title.validate_python(text)


@given(st.text(max_size=16).filter(lambda text: re.search(r"[^ -~]|\\", text.strip(" "))))
def test_other_characters_are_in_no_ae_title(text: str) -> None:
    """Backslash, control characters and what is not ASCII are refused wherever they stand."""
    with pytest.raises(ValidationError):
        ae_title.validate_python(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("PACS.North.Example.org", "pacs.north.example.org"),
        ("orthanc", "orthanc"),
        ("ct_room-2", "ct_room-2"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("3dlab.example.org", "3dlab.example.org"),
        (LONGEST_NAME, LONGEST_NAME),
    ],
)
def test_host_has_one_spelling(text: str, stored: str) -> None:
    """DNS names in lower case, addresses in their canonical form."""
    assert host.validate_python(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        " pacs",
        "pacs\n",
        "pacs..example",
        ".example",
        "example.",
        "-pacs.example",
        "pacs-.example",
        "pacs.example:104",
        "http://pacs.example",
        "user@pacs",
        "bücher.example",
        "a" * 64,
        LONGEST_NAME + "c",
        "256.1.1.1",
        "10.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.0x1",
        "[::1]",
        "fe80::1%eth0",
        "::g",
    ],
)
def test_what_is_neither_name_nor_address_is_refused(text: str) -> None:
    """Nor is anything that a resolver would read as an unusual IPv4 address."""
    with pytest.raises(ValidationError):
        host.validate_python(text)


@given(st.ip_addresses())
def test_every_address_is_a_host(address: object) -> None:
    """IPv4 and IPv6, and reading the stored form again changes nothing."""
    stored = host.validate_python(str(address).upper())
    assert ip_address(stored) == address
    assert host.validate_python(stored) == stored


@given(st.integers())
def test_ports_are_those_of_tcp(number: int) -> None:
    """1 to 65535."""
    if 1 <= number <= 65535:
        assert port.validate_python(number) == number
    else:
        with pytest.raises(ValidationError):
            port.validate_python(number)


@pytest.mark.parametrize("value", ["104", 104.0, True, None])
def test_only_a_number_is_a_port(value: object) -> None:
    """Text, fractions and booleans are not taken for one."""
    with pytest.raises(ValidationError):
        port.validate_python(value)
