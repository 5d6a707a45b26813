"""Exports as they are written: whole ones in every format, and what a cut one lacks."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

import pytest
from fhir.resources.R4B.bundle import Bundle

from services.compliance.export.domain import Format, Gap, ShownEntry
from services.compliance.export.formats import CSV, DICOM, NDJSON, fhir_bundle, written
from tests.unit.compliance.export.entries import SAMPLES, shown

FHIR = fhir_bundle("https://steward.example.org/compliance/v1/fhir")
ENTRIES = [shown(path.read_bytes(), index) for index, path in enumerate(SAMPLES)]


def read_lines(raw: bytes) -> int:
    """How many entries a whole file of lines has."""
    *entries, closing = map(json.loads, raw.splitlines())
    assert closing == {"complete": True, "entries": len(entries)}
    return len(entries)


def read_table(raw: bytes) -> int:
    """How many entries a whole table has."""
    _, *rows, closing = csv.reader(io.StringIO(raw.decode(), newline=""), strict=True)
    assert closing[:2] == ["complete", f"{len(rows)} entries"]
    return len(rows)


def read_messages(raw: bytes) -> int:
    """How many messages a whole document has."""
    return len(fromstring(raw))  # noqa: S314 -- we have just written it


def read_bundle(raw: bytes) -> int:
    """How many AuditEvents a whole Bundle has."""
    return len(Bundle.model_validate_json(raw).entry or [])


FORMATS: list[tuple[Format, Callable[[bytes], int]]] = [
    (NDJSON, read_lines),
    (CSV, read_table),
    (DICOM, read_messages),
    (FHIR, read_bundle),
]


async def paged(entries: Sequence[ShownEntry], length: int = 4) -> AsyncIterator[Sequence[ShownEntry]]:
    """The entries in pages, and an empty one among them."""
    yield []
    for at in range(0, len(entries), length):
        yield entries[at : at + length]


async def none_pruned() -> Sequence[Gap]:
    """All that there ever was is still there."""
    return []


@pytest.mark.parametrize(("form", "read"), FORMATS, ids=lambda value: getattr(value, "name", ""))
@pytest.mark.parametrize("count", [0, 1, len(ENTRIES)])
async def test_a_whole_export_is_read_by_others(form: Format, read: Callable[[bytes], int], count: int) -> None:
    """With none, one, and many entries."""
    raw = b"".join([piece async for piece in written(form, paged(ENTRIES[:count]), none_pruned)])
    assert read(raw) == count


@pytest.mark.parametrize(("form", "read"), FORMATS, ids=lambda value: getattr(value, "name", ""))
async def test_an_export_that_broke_off_between_pages_is_not_taken_for_a_whole_one(
    form: Format, read: Callable[[bytes], Any]
) -> None:
    """Whatever its last page was, what closes it is missing."""
    pieces = [piece async for piece in written(form, paged(ENTRIES), none_pruned)]
    for end in range(len(pieces)):
        with pytest.raises((AssertionError, ValueError, ParseError)):
            read(b"".join(pieces[:end]))
