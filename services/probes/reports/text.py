"""Text that people type or paste: bounded, on one line or several, without what nobody sees."""

import unicodedata
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

LINE, DETAILS = 200, 4000
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Control characters, marks that turn or hide text, halves of characters, private ones, odd ends of lines."""

JOINERS = frozenset("\u200c\u200d")
"""Unseen, but letters of Persian or Hindi and signs are made with them."""


def cleaned(text: object) -> object:
    """Without what is unseen; each end of a line is a line feed. What is no text is left for others to refuse."""
    if not isinstance(text, str):
        return text
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return "".join(c for c in lines if c == "\n" or c in JOINERS or unicodedata.category(c) not in UNSEEN)


def on_one_line(text: object) -> object:
    """Cleaned, with single spaces where lines ended."""
    found = cleaned(text)
    return " ".join(found.split()) if isinstance(found, str) else found


Sentence = Annotated[str, BeforeValidator(on_one_line), StringConstraints(min_length=1, max_length=LINE)]
"""One line of at most 200 characters; what is unseen is taken out."""

Telling = Annotated[str, BeforeValidator(cleaned), StringConstraints(strip_whitespace=True, max_length=DETAILS)]
"""Text of at most 4,000 characters, lines allowed; what is unseen is taken out."""
