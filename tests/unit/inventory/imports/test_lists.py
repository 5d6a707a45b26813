"""Lists of nodes as people have them: what is read, and what is said of what can't be."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.imports.domain import MAX_BYTES, BadList, NodeRow, plan_import
from services.inventory.imports.orthanc import read_modalities
from services.inventory.imports.sheet import read_sheet

HEADER = "name;ae_title;host;port;role"
CT = NodeRow(name="CT Übersicht", ae_title="CT1", host="ct1.north.example.org", port=104)
CT_LINE = "CT Übersicht;CT1;ct1.north.example.org;104;modality"


def faults(text: str) -> list[str]:
    """What is said of the rows of a sheet."""
    return [str(fault) for fault in read_sheet(text.encode()).faults]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sheet_is_read_as_any_spreadsheet_writes_it(encoding: str, delimiter: str, end: str) -> None:
    """The encoding, the delimiter and the ends of lines are recognized."""
    raw = end.join([HEADER, CT_LINE, ""]).replace(";", delimiter).encode(encoding)
    assert read_sheet(raw).rows == {"line 2": CT}


def test_a_latin_sheet_that_claims_to_be_utf_8_is_read_too() -> None:
    """Some programs put a byte order mark before Windows' Latin."""
    assert read_sheet(b"\xef\xbb\xbf" + f"{HEADER}\n{CT_LINE}".encode("cp1252")).rows == {"line 2": CT}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("CT;;ct1.example.org;104;modality", "line 2: ae_title is missing, for example CT2_NORTH"),
        ("CT;CT1;ct1.example.org;70000;modality", "line 2: port input should be less than or equal to 65535"),
        ("CT;CT1;ct1.example.org;abc;modality", "line 2: port input should be a valid integer"),
        ("CT;CT1;10.1;104;modality", "line 2: host must be a DNS name"),
        ("CT;CT1;ct1.example.org;104;robot", "line 2: role input should be 'archive', 'modality' or 'workstation'"),
        ("CT;A\\B;ct1.example.org;104;modality", "line 2: ae_title must be 1 to 16 ASCII characters"),
        ("=1+1;CT1;ct1.example.org;104;modality", "line 2: name must not begin like a formula, for example CT 2"),
        (
            "CT;CT1;ct1.example.org;104;modality;x",
            "line 2: row has more cells than there are columns",
        ),
    ],
)
def test_a_fault_names_the_line_the_column_the_rule_and_an_example(line: str, said: str) -> None:
    """So that who keeps the list can mend it."""
    assert faults(f"{HEADER}\n{line}")[0].startswith(said)


def test_the_other_rows_are_read_beside_a_faulty_one() -> None:
    """All faults are told at once."""
    listed = read_sheet(f"{HEADER}\nCT;;h;104;modality\n{CT_LINE}\nMR;MR1;mr;0;modality\n".encode())
    assert list(listed.rows) == ["line 3"]
    assert [fault.place for fault in listed.faults] == ["line 2", "line 4"]


def test_one_address_twice_is_a_fault_of_the_second() -> None:
    """Whatever their names; the host's spelling does not matter."""
    twice = f"{HEADER}\n{CT_LINE}\nother;CT1;CT1.NORTH.example.org;104;modality"
    assert faults(twice) == ["line 3: ae_title stands with the same host and port in line 2, for example CT3_NORTH"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "a column"),
        (b"name;port\n", "no column 'ae_title'"),
        (b"name;ae_title;host;port;colour\n", "a column 'colour'"),
        (b"name;name;ae_title;host;port\n", "more than once"),
        ("name\n".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04\x00\x00", "no text"),
        (b'name,ae_title,host,port\n"CT', "is no CSV"),
        (b"x" * (MAX_BYTES + 1), "more than"),
    ],
)
def test_what_is_no_list_is_refused_as_a_whole(raw: bytes, said: str) -> None:
    """With what it should be."""
    with pytest.raises(BadList, match=said):
        read_sheet(raw)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: b"name;ae_title;host;port\n" + tail))
def test_any_bytes_are_rows_faults_or_no_list(raw: bytes) -> None:
    """Nothing else comes out of a sheet or a configuration."""
    for read in (read_sheet, read_modalities):
        with suppress(BadList):
            read(raw)


CONFIGURATION = """
{
  // What the archive may send to, "quoted" words too
  "Name" : "North", /* "DicomModalities": {} */
  "DicomModalities" : {
    "ct" : [ "CT1", "ct1.north.example.org", 104 ],
    "mr" : [ "MR1", "10.1.2.4", 104, "GenericNoWildcardInDates" ],
    "http://odd" : { "AET": "WS1", "Host": "ws1", "Port": 11112, "Manufacturer": "Generic", "AllowEcho": true }
  }
}
"""


def test_modalities_are_read_from_a_configuration_with_comments() -> None:
    """As lists and as objects, the two forms that Orthanc takes."""
    rows = read_modalities(CONFIGURATION.encode()).rows
    assert [(row.name, row.ae_title, row.host, row.port) for row in rows.values()] == [
        ("ct", "CT1", "ct1.north.example.org", 104),
        ("mr", "MR1", "10.1.2.4", 104),
        ("http://odd", "WS1", "ws1", 11112),
    ]


def test_modalities_are_read_from_the_rest_api_too() -> None:
    """What Orthanc answers to GET /modalities?expand."""
    told = {"ct": {"AET": "CT1", "Host": "10.1.2.3", "Port": 104, "Manufacturer": "Generic", "UseDicomTls": False}}
    [row] = read_modalities(json.dumps(told).encode()).rows.values()
    assert row.address == ("10.1.2.3", 104, "CT1")


@pytest.mark.parametrize("raw", [b"[]", b"{}", b'{"DicomModalities": []}', b"{", b"[" * 100_000])
def test_what_is_no_configuration_is_refused(raw: bytes) -> None:
    """Also one in which no modality stands."""
    with pytest.raises(BadList):
        read_modalities(raw)


def test_what_is_registered_stays_as_it_is() -> None:
    """An address that is registered is not registered again, under whatever name."""
    listed = read_sheet(f"{HEADER}\n{CT_LINE}\nMR;MR1;mr1;104;modality".encode())
    planned = plan_import(listed, [CT.model_copy(update={"name": "Scanner"})])
    assert [(one.row.name, one.registered_as) for one in planned] == [("CT Übersicht", "Scanner"), ("MR", None)]
