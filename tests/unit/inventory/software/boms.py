"""SBOMs and MDS2 forms that tests read."""

import io
import json
from typing import Any

from openpyxl import Workbook

LOG4J: dict[str, Any] = {
    "type": "library",
    "group": "org.apache.logging.log4j",
    "name": "log4j-core",
    "version": "2.17.0",
    "purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.17.0",
    "cpe": "cpe:2.3:a:apache:log4j:2.17.0:*:*:*:*:*:*:*",
    "supplier": {"name": "The Apache Software Foundation"},
    "hashes": [{"alg": "SHA-256", "content": "AB" * 32}],
}
POSTGRES: dict[str, Any] = {"type": "application", "name": "PostgreSQL", "version": "16.4"}
REMOTE: dict[str, Any] = {"type": "application", "name": "RemoteHelp", "version": "15"}
ABOUT = {"component": {"type": "application", "name": "Archive One", "version": "5.2.1"}}
NAMESPACE = "http://cyclonedx.org/schema/bom/1.6"


def sbom(*components: dict[str, Any], **more: Any) -> bytes:
    """An SBOM in JSON with these components."""
    told = {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": ABOUT, "components": list(components)}
    return json.dumps(told | more).encode()


def xml_sbom(inner: str, namespace: str = NAMESPACE) -> bytes:
    """An SBOM in XML."""
    return f'<?xml version="1.0"?><bom xmlns="{namespace}" version="1">{inner}</bom>'.encode()


ANSWERS = [(f"AUTH-1.{number}", "Yes") for number in range(1, 12)] + [
    ("ALOF-1", "No"),
    ("TXCF-1", "See Note"),
    ("MPII-1", "No"),
    ("DOC-1", "Northlight Imaging"),
    ("PLOK-2", "N/A"),
]


def mds2_json() -> bytes:
    """A form in JSON."""
    return json.dumps({"answers": [{"question": q, "answer": a, "note": ""} for q, a in ANSWERS]}).encode()


def mds2_workbook(answers: list[tuple[str, str]] = ANSWERS, column: int = 2, note: str = "TLS only") -> bytes:
    """A form as makers send it: a title, headings, questions, and the answers in some column."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Manufacturer Disclosure Statement for Medical Device Security"])
    heads = ["Question ID", "Question", *[""] * (column - 2), "", "See note"]
    sheet.append(heads)
    for question, answer in answers:
        noted = note if answer == "See Note" else ""
        sheet.append([question, "Does the device do so?", *["…"] * (column - 2), answer, noted])
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()
