"""Canonical JSON as RFC 8785 says, by its own examples; and one form only is read."""

import struct

import pytest

from services.inventory.dossier.canonical import NotCanonical, decode, encode

SORTED = {"€": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One"}
SORTED |= {"😀": "Emoji: Grinning Face", "\x80": "Control", "ö": "Latin Small Letter O With Diaeresis"}
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
]
"""Of appendix B: the bits of a number, and how it is written."""


def test_structure_is_written_as_in_the_standard() -> None:
    """RFC 8785 §3.2.2 and §3.2.4: the first example, to the byte."""
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\u0022/",
        "literals": [None, True, False],
    }
    told = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
    )
    assert encode(value) == told.encode()
    assert decode(told.encode()) == value


def test_names_are_sorted_as_in_the_standard() -> None:
    """RFC 8785 §3.2.3: by the units of UTF-16, so that a smiley comes before a Hebrew letter."""
    assert list(decode(encode(SORTED))) == ["\r", "1", "\x80", "ö", "€", "😀", "\ufb33"]


@pytest.mark.parametrize(("bits", "told"), NUMBERS)
def test_numbers_are_written_as_in_the_standard(bits: str, told: str) -> None:
    """RFC 8785 appendix B."""
    [number] = struct.unpack(">d", bytes.fromhex(bits))
    assert encode(number) == told.encode()


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"{", b'{"a": 1}', b'{"b":1,"a":2}', b'{"a":1,"a":1}', b"1.0", b"1e2", b'"\\u0041"', b"NaN", b"[1] "),
        *(b"\xff", b"[" * 100_000, b"9" * 5000, b"9007199254740993", b'"\\ud800"', b'\xef\xbb\xbf{"a":1}'),
    ],
)
def test_another_form_is_refused(raw: bytes) -> None:
    """Spaces, order, names that are there twice, numbers and letters in another spelling, and what is no JSON."""
    with pytest.raises(NotCanonical):
        decode(raw)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, "\ud800", {1: 2}])
def test_what_not_everybody_reads_alike_has_no_form(value: object) -> None:
    """Numbers beyond 2^53, halves of letters, and numbers that JSON has not."""
    with pytest.raises(NotCanonical):
        encode(value)
