"""The formats of an export, by the name that a request gives them. The sealed one is made otherwise: `package.py`."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence

from services.compliance.export import csv, dicom, fhir, ndjson
from services.compliance.export.domain import Format, Gap, ShownEntry
from services.compliance.export.mapping import audit_record

NDJSON = Format("ndjson", "application/x-ndjson", "ndjson", ndjson.line, ndjson.closing_line)
CSV = Format(
    name="csv",
    media_type="text/csv; charset=utf-8; header=present",
    suffix="csv",
    write=lambda shown: csv.row(audit_record(shown)).encode(),
    close=lambda count, gaps: csv.closing_row(count, gaps).encode(),
    opening=csv.HEADER.encode(),
)
DICOM = Format(
    name="dicom",
    media_type="application/xml",
    suffix="xml",
    write=lambda shown: f"{dicom.audit_message(audit_record(shown))}\n".encode(),
    close=lambda *_: dicom.CLOSING.encode(),
    opening=dicom.OPENING.encode(),
)


def fhir_bundle(base: str) -> Format:
    """A Bundle of AuditEvents whose addresses begin with ``base``. FHIR allows no empty list, so none is begun."""

    def write(shown: ShownEntry) -> bytes:
        entry = fhir.bundle_entry(fhir.audit_event(audit_record(shown)), base, found=False)
        return json.dumps(entry, separators=(",", ":")).encode()

    return Format(
        name="fhir",
        media_type=fhir.MEDIA_TYPE,
        suffix="json",
        write=write,
        close=lambda count, _: b"]}\n" if count else b"}\n",
        opening=b'{"resourceType":"Bundle","type":"collection"',
        first=b',"entry":[\n',
        between=b",\n",
    )


async def written(
    form: Format, pages: AsyncIterable[Sequence[ShownEntry]], gaps: Callable[[], Awaitable[Sequence[Gap]]]
) -> AsyncIterator[bytes]:
    """The export, a page at a time. Nothing is given before the first page was read; ``gaps`` is asked last."""
    count = 0
    opening = form.opening
    async for page in pages:
        parts, opening = [opening], b""
        for shown in page:
            parts += [form.between if count else form.first, form.write(shown)]
            count += 1
        yield b"".join(parts)
    yield opening + form.close(count, await gaps())
