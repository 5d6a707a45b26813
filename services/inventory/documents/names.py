"""Which names a file may have: none that a person could be led by to run what is inside."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

MAX_NAME = 150
EXAMPLE = "quick-reference.pdf"
SUFFIXES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "txt": "text/plain",
    "csv": "text/csv",
    "md": "text/markdown",
    "json": "application/json",
    "xml": "application/xml",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""What a name may end in, and which media type it promises."""

_ACTIVE = (
    "ade adp apk app appx asp aspx bat bin chm cmd com cpl dll dmg docm dotm elf exe gadget hta htm html inf "
    "ins iso jar js jse jsp lnk mht mhtml msc msi msp mst php pif potm ppam ppsm pptm ps1 ps1xml ps2 psc1 py "
    "rb reg scf scr sct sh shb shs svg svgz swf sys url vb vbe vbs vhd ws wsc wsf wsh xbap xhtml xla xlam xll "
    "xlsb xlsm xltm "
)
ACTIVE = frozenset(_ACTIVE.split())
"""Endings of what machines run; in the middle of a name they are a disguise."""

RESERVED = re.compile(r"con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)
FORBIDDEN = frozenset('/\\:*?"<>|')


def parse_file_name(text: str) -> str:
    """The name in its composed Unicode form. Raises PydanticCustomError with the rule that it breaks."""
    name = unicodedata.normalize("NFC", text)
    if not 1 <= len(name) <= MAX_NAME:
        raise _refused(f"must have 1 to {MAX_NAME} characters")
    if any(unicodedata.category(char)[0] == "C" or unicodedata.category(char) in ("Zl", "Zp") for char in name):
        raise _refused("must hold no control character and none that turns the direction of writing")
    if FORBIDDEN.intersection(name):
        raise _refused('must be a name without a path, and without any of : * ? " < > |')
    if name != name.strip() or name.startswith((".", "-", "~")) or name.endswith("."):
        raise _refused("must neither begin with a dot, a hyphen, a tilde or a space nor end in a dot or a space")
    if RESERVED.fullmatch(name.split(".")[0].strip()):
        raise _refused("must not be a name that Windows keeps for devices")
    _check_suffixes(name)
    return name


def _check_suffixes(name: str) -> None:
    stem, dot, last = name.lower().rpartition(".")
    if not (dot and stem and last in SUFFIXES):
        raise _refused(f"must end in one of {', '.join(SUFFIXES)}")
    for part in stem.split(".")[1:]:
        if part.strip() in ACTIVE or part.strip() in SUFFIXES:
            raise _refused(f"must have one ending, and has .{part.strip()} before .{last}")


def suffix_of(name: str) -> str:
    """The ending of a name that ``parse_file_name`` took."""
    return name.rpartition(".")[2].lower()


def _refused(rule: str) -> PydanticCustomError:
    return PydanticCustomError("file_name", rule, {"example": EXAMPLE})


FileName = Annotated[str, AfterValidator(parse_file_name)]
"""A file's name, as a document keeps it."""
