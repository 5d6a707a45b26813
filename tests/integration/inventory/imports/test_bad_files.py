"""Files as people and programs spoil them: refused as a whole where they are none, else row by row."""

import io
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from openpyxl import Workbook

from tests.harness import Harness
from tests.integration.inventory.documents.files import workbook, zipped
from tests.integration.inventory.imports.taking import counts, over, rows_of, send, taken

HEAD = "site;type;name;manufacturer;serial;purchase_date;capacity_bytes"
GOOD = "north;drive;Laufwerk für Röntgen;Hersteller;S-1;31.03.2024;1000"


def excel(*rows: list[Any], **sheets: list[list[Any]]) -> bytes:
    """A workbook with these rows on its first sheet."""
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    for name, more in sheets.items():
        for row in more:
            book.create_sheet(name).append(row)
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


BOMB = workbook(xl__worksheets__sheet1_xml=b"<worksheet>" + b" " * (64 * 1024 * 1024) + b"</worksheet>")
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)
MACROS = workbook(xl__vbaProject_bin=b"\xd0\xcf\x11\xe0")


@pytest.mark.parametrize(
    ("content", "format", "said"),
    [
        (b"", "csv", "empty"),
        (b"\xef\xbb\xbf", "csv", "empty"),
        (b"\x00" * 100, "csv", "zero bytes"),
        (b"site;type;name;colour\n", "csv", "a column 'colour'"),
        (b"site;type;name;name\n", "csv", "more than once"),
        (b"site;name\n", "csv", "no column 'type'"),
        (f"{HEAD}\n".encode() + b'"' * 3 + b"x" * 300_000, "csv", "field larger"),
        (BOMB, "xlsx", "must not unpack to more than"),
        (MACROS, "xlsx", "no macros"),
        (HEAD.encode(), "xlsx", "must be"),
        (zipped({"word/document.xml": "<w/>", "[Content_Types].xml": "<Types/>"}), "xlsx", "no workbook of Excel"),
        (excel([], ["x"]), "xlsx", "first row is empty"),
        (HEAD.encode(), "zip", "comes as a zip"),
        (";".join(f"c{number}" for number in range(10_000)).encode(), "csv", "10000 columns, more than 300"),
        (excel([f"c{number}" for number in range(10_000)]), "xlsx", "more than 300 columns"),
        (OLD_EXCEL, "xlsx", "save it as xlsx"),
        (OLD_EXCEL, "csv", "zero bytes"),
        (zipped({"components.csv": HEAD}), "xlsx", "must be no archive but a workbook"),
        (zipped({"components.csv": HEAD}), "csv", "zero bytes"),
        (workbook(xl__inner_bin=zipped({"a": "b"})), "xlsx", "no archive within the archive"),
        (HEAD.encode("utf-16")[:-1], "csv", "no text"),
        (b"\xff\xfe\x00\xd8\x00\xd8", "csv", "no text"),
    ],
)
async def test_what_is_no_sheet_is_refused_at_once(steward: Harness, content: bytes, format: str, said: str) -> None:
    """With what it should be, and nothing waits."""
    answer = await send(steward.admin, content, "components", format=format)
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == "file"
    assert said in error["rule"]
    assert (await steward.admin.get("/inventory/v1/imports")).json()["items"] == []


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"../sites.csv": "id\n"}, "each entry must be one of"),
        ({"people.csv": "colour\n"}, "a column 'colour'"),
        ({"run.exe": "MZ"}, "each entry must be one of"),
        ({"people.zip": zipped({"people.csv": "name"})}, "each entry must be one of"),
        ({"people.csv": zipped({"people.csv": "name"})}, "zero bytes"),
    ],
)
async def test_an_archive_holds_sheets_alone(steward: Harness, names: dict[str, bytes | str], said: str) -> None:
    """Each of a kind that there is."""
    answer = await send(steward.admin, zipped(names), "all", format="zip")
    assert answer.status_code == 422
    assert said in answer.json()["errors"][0]["rule"]


async def test_an_archive_that_unpacks_to_too_much_is_refused(steward: Harness) -> None:
    """By what it says of itself, which is also the most that is read."""
    raw = io.BytesIO()
    with ZipFile(raw, "w", ZIP_DEFLATED) as archive, archive.open("sites.csv", "w", force_zip64=True) as entry:
        for _ in range(520):
            entry.write(b" " * 1024 * 1024)
    answer = await send(steward.admin, raw.getvalue(), "all", format="zip")
    assert answer.status_code == 422
    assert "unpack to at most" in answer.json()["errors"][0]["rule"]


async def test_a_latin_sheet_with_a_mark_and_semicolons_is_read(steward: Harness) -> None:
    """The umlauts and the German date arrive."""
    raw = b"\xef\xbb\xbf" + f"{HEAD}\r\n{GOOD}\r\n".encode("cp1252")
    assert counts(await taken(steward, raw, "components")) == (1, 0, 0, 0)
    [made] = (await steward.admin.get("/inventory/v1/components")).json()["items"]
    assert (made["name"], made["purchase_date"]) == ("Laufwerk für Röntgen", "2024-03-31")


async def test_a_sheet_in_utf_16_is_read(steward: Harness) -> None:
    """As Excel writes it for "Unicode text": in tabs, with a mark, in either order of bytes."""
    for number, (mark, encoding) in enumerate(((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))):
        text = f"{HEAD}\r\n{GOOD}\r\n".replace(";", "\t").replace("S-1", f"S-{number}")
        assert counts(await taken(steward, mark + text.encode(encoding), "components")) == (1, 0, 0, 0)
    made = (await steward.admin.get("/inventory/v1/components")).json()["items"]
    assert {one["name"] for one in made} == {"Laufwerk für Röntgen"}


async def test_every_bad_row_is_told_with_its_place_column_rule_and_example(steward: Harness) -> None:
    """All of them at once, beside those that are good."""
    bad = {
        "north;drive;=1+1;H;S-2;;": ("name", "must not begin like a formula"),
        "north;drive;B;H;S-3;03.04.2024;": ("purchase_date", "could be two dates"),
        "north;drive;B;H;S-4;2199-01-01;": ("purchase_date", "in the future"),
        "north;drive;B;H;S-5;;1,5": ("capacity_bytes", "a whole number"),
        "north;toaster;B;H;S-6;;": ("type", "must be 'server'"),
        "nowhere;drive;B;H;S-7;;": ("row", "no site nowhere"),
        "north;drive;B;Hersteller;s 1;;": ("row", "a row before is about the same component"),
        f"north;drive;{'x' * 40_000};H;S-8;;": ("name", "at most 32000 characters"),
        f"north;drive;{'x' * 300};H;S-8;;": ("name", "at most 200"),
        "north;drive;B;H;S-9;;;too many": ("row", "has 8 cells"),
        "north;;B;H;S-10;;": ("type", "is missing"),
    }
    ended = await taken(steward, "\n".join([HEAD, GOOD, *bad]), "components", dry_run="true")
    assert counts(ended) == (1, 0, 0, len(bad))
    rows = await rows_of(steward.admin, ended["id"], what="refused")
    for number, (row, (field, rule)) in enumerate(zip(rows, bad.values(), strict=True), start=3):
        fault = row["faults"][0]
        assert (row["place"], fault["field"]) == (f"line {number}", field), row
        assert rule in fault["rule"], row
        assert fault["example"], row


async def test_cells_of_a_workbook_are_what_they_look_like(steward: Harness) -> None:
    """Dates, numbers and truths are read; formulas are refused by their cell, and what Excel has rounded."""
    import datetime

    raw = excel(
        ["site", "type", "name", "serial", "purchase_date", "capacity_bytes"],
        ["north", "drive", "Bay 1", 12345, datetime.date(2024, 3, 4), 1000.0],
        [],
        ["north", "drive", "Bay 2", "=A1", None, None],
        ["north", "drive", "Bay 3", 123456789012345678, None, None],
        ["north", "drive", "Bay 4", "S-4", None, None, "beside"],
        other=[["not read"]],
    )
    ended = await taken(steward, raw, "components", format="xlsx", errors="skip")
    assert counts(ended) == (1, 0, 0, 3)
    refused = await rows_of(steward.admin, ended["id"], what="refused")
    assert [(row["place"], row["faults"][0]["field"]) for row in refused] == [
        ("row 4", "serial"),
        ("row 5", "serial"),
        ("row 6", "row"),
    ]
    assert "cell D4" in refused[0]["faults"][0]["rule"]
    [made] = (await steward.admin.get("/inventory/v1/components")).json()["items"]
    assert (made["serial"], made["purchase_date"], made["capacity_bytes"]) == ("12345", "2024-03-04", 1000)


async def test_only_a_first_line_is_nothing_to_do(steward: Harness) -> None:
    """And no fault."""
    assert counts(await taken(steward, HEAD, "components")) == (0, 0, 0, 0)


async def test_an_empty_cell_leaves_and_a_dash_empties(steward: Harness) -> None:
    """What a column that is not there says is nothing too."""
    await taken(steward, f"{HEAD}\n{GOOD}", "components")
    sheet = "site;type;name;manufacturer;serial;purchase_date\nnorth;drive;New name;Hersteller;S-1;{}"
    assert counts(await taken(steward, sheet.format(""), "components")) == (0, 1, 0, 0)
    [item] = (await steward.admin.get("/inventory/v1/components")).json()["items"]
    assert (item["name"], item["purchase_date"], item["capacity_bytes"]) == ("New name", "2024-03-31", 1000)
    assert counts(await taken(steward, sheet.format("-"), "components")) == (0, 1, 0, 0)
    [item] = (await steward.admin.get("/inventory/v1/components")).json()["items"]
    assert item["purchase_date"] is None


async def test_what_a_role_may_not_change_it_may_not_import(steward: Harness) -> None:
    """An operator has no say over vendors and people, nor does the admin of one site over what all share."""
    async with steward.as_("otto", "operator:north") as otto, steward.as_("ada", "site-admin:north") as ada:
        for kind, sheet in (("vendors", "name\nVoltara"), ("groups", "name\nWest"), ("sites", "id,name\nnorth,New")):
            ended = await over(steward, otto, await send(otto, sheet, kind, errors="skip"))
            assert counts(ended) == (0, 0, 0, 1), kind
        people = "site,name,email,roles\nnorth,Ada,ada@north.example.org,admin\nsouth,Bo,bo@south.example.org,admin"
        assert counts(await over(steward, otto, await send(otto, people, "people", errors="skip"))) == (0, 0, 0, 2)
        assert counts(await over(steward, ada, await send(ada, people, "people", errors="skip"))) == (1, 0, 0, 1)
        assert counts(await over(steward, ada, await send(ada, "id,name\nnorth,New", "sites"))) == (0, 1, 0, 0)


async def test_no_refusal_tells_of_what_the_sender_may_not_see(steward: Harness) -> None:
    """Neither that there is such a thing at another site, nor its id: what is there is refused as what is not."""
    component = {
        "site_id": "north",
        "type": "ups",
        "name": "UPS",
        "manufacturer": "V",
        "serial": "S-1",
        "asset_tag": "T",
    }
    made = (await steward.admin.post("/inventory/v1/components", json=component)).json()
    person = {"site_id": "north", "name": "Ada", "email": "ada@north.example.org", "roles": ["admin"]}
    known = (await steward.admin.post("/inventory/v1/people", json=person)).json()
    absent = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11"
    part = ("id;site;type;name;asset_tag;installed_in", "{0};;;Other;;", ";north;ups;UPS;T;", ";north;ups;None;U;UPS")
    staff = (
        "id;site;name;email;roles",
        "{0};;Other;;",
        ";north;Bo;ada@north.example.org;admin",
        ";north;Bo;b@b.example;x",
    )
    sheets = {"components": "\n".join(part), "people": "\n".join(staff)}
    async with steward.as_("sam", "site-admin:south") as sam:
        for kind, thing in (("components", made), ("people", known)):
            told = []
            for thing_id in (thing["id"], absent):
                sheet = sheets[kind].format(thing_id)
                ended = await over(steward, sam, await send(sam, sheet, kind, errors="skip"))
                rows = await rows_of(sam, ended["id"])
                assert counts(ended) == (0, 0, 0, 3)
                told.append([row["faults"][0]["rule"].replace(thing_id, "") for row in rows])
                assert thing["id"] not in str(rows).replace(thing_id, "")
            assert told[0] == told[1]
            assert told[0][1] == told[0][2] == "no site north"
        taken_serial = "site;type;name;manufacturer;serial\nsouth;ups;UPS;V;S-1"
        ended = await over(steward, sam, await send(sam, taken_serial, "components", errors="skip"))
        [row] = await rows_of(sam, ended["id"])
        assert "belongs to another component of the group" in row["faults"][0]["rule"]
        assert made["id"] not in str(row)
