"""The modalities that an Orthanc knows: from its configuration file (``DicomModalities``), or from its REST API.

The configuration is JSON with comments, and gives a modality as a list (AE title, host, port, manufacturer) or as an
object; ``GET /modalities?expand`` gives objects by name. Each becomes a row of nodes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from services.inventory.imports.domain import BadFile

SECTION = "DicomModalities"
FIELDS = {"ae_title": "AET", "host": "Host", "port": "Port"}

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def read_modalities(raw: bytes) -> list[dict[str, str]]:
    """Reads either form: for each modality, the cells of its row by their columns. Raises BadFile."""
    try:
        told = json.loads(_TOKENS.sub(_without_comment, raw.decode("utf-8-sig")))
    except (ValueError, RecursionError) as exc:
        raise BadFile(f"that is no configuration of Orthanc: {exc}") from exc
    modalities = told.get(SECTION, told) if isinstance(told, dict) else None
    if not isinstance(modalities, dict):
        raise BadFile(f"that is no configuration of Orthanc: it has no object {SECTION!r}")
    if not modalities:
        raise BadFile("Orthanc knows no modality")
    return list(_rows(modalities))


def _without_comment(token: "re.Match[str]") -> str:
    return token.group() if token.group().startswith('"') else " "


def _rows(modalities: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, told in modalities.items():
        if isinstance(told, list) and len(told) >= len(FIELDS):
            values: dict[str, Any] = dict(zip(FIELDS, told, strict=False))
        elif isinstance(told, dict):
            values = {field: told.get(theirs) for field, theirs in FIELDS.items()}
        else:
            values = {}
        yield {"start_name": name} | {field: str(value) for field, value in values.items() if value is not None}
