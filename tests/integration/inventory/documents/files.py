"""Files that tests upload, and a short way to do so."""

import io
from collections.abc import Mapping
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import httpx

DOCUMENTS = "/inventory/v1/documents"
PDF = b"%PDF-1.7\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(30)
JPEG = b"\xff\xd8\xff\xe0" + bytes(30)
FORM = {"site_id": "north", "kind": "manual", "title": "Archive One: manual"}
TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">{}</Types>'


def zipped(parts: Mapping[str, bytes | str]) -> bytes:
    """An archive with these entries."""
    raw = io.BytesIO()
    with ZipFile(raw, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return raw.getvalue()


def workbook(**more: bytes | str) -> bytes:
    """An archive that has what makes a workbook, and more, with ``__`` for a slash and ``_`` for a dot."""
    named = {name.replace("__", "/").replace("_", "."): content for name, content in more.items()}
    return zipped({"[Content_Types].xml": TYPES.format(""), "xl/workbook.xml": "<workbook/>", **named})


async def upload(
    client: httpx.AsyncClient, content: bytes = PDF, name: str = "manual.pdf", url: str = DOCUMENTS, **more: Any
) -> httpx.Response:
    """The answer to a form with a file; ``headers`` are sent, the rest are its fields."""
    headers = more.pop("headers", {})
    fields = (FORM if url == DOCUMENTS else {}) | more
    return await client.post(url, data=fields, files={"file": (name, content)}, headers=headers)


async def uploaded(client: httpx.AsyncClient, content: bytes = PDF, name: str = "manual.pdf", **more: Any) -> Any:
    """The document that an upload made."""
    answer = await upload(client, content, name, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()
