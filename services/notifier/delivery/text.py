"""Makes foreign text safe to stand in a mail: in a header, in a body, in a calendar."""

import re

# C0 and C1 controls but tab and newline, lone surrogates, non-characters that no standard lets into mail or iCalendar.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_NEWLINE = re.compile("\r\n|[\r\u0085\u2028\u2029]")


def clean(text: str) -> str:
    """The text with every kind of line break as a newline and without other control characters."""
    return _FORBIDDEN.sub("", _NEWLINE.sub("\n", text))


def one_line(text: str, limit: int = 200) -> str:
    """The text as a single line of at most `limit` characters, safe as a header's value.

    Python's header parser decodes encoded words (RFC 2047) in values that it is given, and so would turn
    ``=?utf-8?q?=0D=0ABcc:…?=`` into a new header; a space takes their meaning away.
    """
    line = " ".join(clean(text).split()).replace("=?", "= ?")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
