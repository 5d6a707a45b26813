"""Exports as lines of JSON and as a table."""

import csv
import io
import json
from base64 import b64decode
from pathlib import Path

import pytest

from services.compliance.export.csv import COLUMNS, FORMULA, HEADER, closing_row, row
from services.compliance.export.mapping import audit_record
from services.compliance.export.ndjson import closing_line, line
from services.compliance.log.entry import Entry, build_entry, parse_entry
from services.compliance.log.tree import leaf_hash
from tests.unit.compliance.export.entries import SAMPLES, sample, shown


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_entry_is_built_again_from_its_line(path: Path) -> None:
    """Header and exact event are there, so whoever has the line can compute the leaf hash."""
    entry = shown(path.read_bytes())
    told = json.loads(line(entry))
    exact = line(entry).partition(b',"event":')[2][:-2]
    parsed = parse_entry(entry.raw)
    built = build_entry(Entry(told["site_id"], told["site_sequence"], parsed.recorded_at, exact))
    assert b64decode(told["leaf_hash"]) == leaf_hash(built)
    assert json.loads(path.read_bytes()) == told["event"]
    assert "entry" not in told


def test_an_event_of_several_lines_is_one_line_with_its_exact_bytes_beside() -> None:
    """Spaces between tokens may be line feeds; the hash is over them."""
    raw = json.dumps(json.loads(SAMPLES[0].read_bytes()), indent=1).replace("\n", "\r\n").encode()
    entry = shown(raw)
    assert line(entry).count(b"\n") == 1
    assert b64decode(json.loads(line(entry))["entry"]) == entry.raw


def test_the_closing_line_tells_how_many() -> None:
    """It is no entry: it has no index."""
    assert json.loads(closing_line(3, [])) == {"complete": True, "entries": 3}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_row_has_a_cell_for_each_column(path: Path) -> None:
    """As Python's own reader of RFC 4180 reads it."""
    record = audit_record(shown(path.read_bytes()))
    header, cells, closing = csv.reader(io.StringIO(HEADER + row(record) + closing_row(1, []), newline=""), strict=True)
    assert tuple(header) == COLUMNS
    assert len(cells) == len(closing) == len(COLUMNS)
    assert dict(zip(header, cells, strict=True))["leaf_hash"] == record.leaf_hash.hex()


@pytest.mark.parametrize("start", FORMULA)
def test_no_cell_begins_as_a_formula(start: str) -> None:
    """Nor does what stands behind a quote or a comma in it."""
    text = f'{start}HYPERLINK("http://evil.example","a,b")'
    told = row(audit_record(sample("backup.failed", actor=text, data__reason=text)))
    [cells] = csv.reader(io.StringIO(told, newline=""), strict=True)
    assert cells.count(f"'{text}") == 2
    assert not [cell for cell in cells if cell.startswith(FORMULA)]
