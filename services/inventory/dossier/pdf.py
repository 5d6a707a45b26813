"""The PDF of a dossier, for people: it tells what the manifest tells, and which rules of privacy that serves.

The same record gives the same bytes. It has no signatures: these are made on the digest of the manifest, which has the
digest of this file.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from fpdf import FPDF
    from fpdf.fonts import TTFFont

FONT, FONT_IN_PACKAGE = "FiraGO", "figo"
"""Has glyphs for Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Georgian and Devanagari."""

TITLE_POINTS, HEADING_POINTS, TEXT_POINTS, TABLE_POINTS = 18, 12, 9, 7
MARGIN_MM = 15
ROOM_MM = 30
"""What must be left of a page below a heading, so that it does not stand alone."""

INTRODUCTION = (
    "This is the sealed record of an asset's life. Beside it lie the documents it names and manifest.json, which says "
    "the same for programs. The SHA-256 of manifest.json is the dossier's digest: two people have signed it before the "
    "asset was closed, and the audit log has it. The command `steward dossier verify FILE --key LOGKEY` checks all of "
    "this without a network."
)
PRIVACY = (
    "What HIPAA's Security Rule asks of whoever disposes of hardware and media that held health information, and the "
    "events and records of this dossier that show it was done."
)
NOTHING = "–"
Rows = Iterable[Sequence[object]]


def render(record: Mapping[str, Any], sealed_by: str, sealed_at: datetime) -> bytes:
    """The PDF's bytes."""
    page = _page(sealed_at)
    names = {one["id"]: one["name"] for one in (record["asset"], *record["parts"], *record["media_left"])}
    _cover(page, record, sealed_by, sealed_at)
    _table(page, "Parts", ("Name", "Kind", "Manufacturer, model", "Serial number", "State"), _parts(record))
    _table(page, "Life", ("When", "Asset", "From", "To", "By", "Why"), _life(record, names))
    _table(page, "Decisions", ("When", "Asset", "To", "Policy", "By what it was earned"), _decisions(record, names))
    _table(page, "Evidence", ("When", "Asset", "Kind", "What serves", "By", "State"), _evidence(record, names))
    _table(page, "Waivers", ("Asset", "Kind", "State", "Asked by", "Decided by", "Why"), _waivers(record, names))
    _table(
        page,
        "Certificates of sanitization",
        ("Medium", "Serial number", "Method, technique", "Verified by", "Validated by", "Certificate"),
        _certificates(record, names),
    )
    _table(
        page,
        "Chain of custody",
        ("When", "Asset", "What", "From", "To", "Place, seal", "Seen to by", "Recycler's certificate"),
        _custody(record, names),
    )
    for disposal in record["disposals"]:
        heading = f"Manifest {disposal['reference']} of {disposal['recycler']}, {disposal['weight_kg']} kg"
        _table(page, heading, ("Serial number", "Type", "Manufacturer, model", "kg", "Category"), _lines(disposal))
    _privacy(page, record)
    _table(page, "Documents", ("File", "Title", "Kind", "Bytes"), _documents(record))
    _table(page, "Entries of the audit log", ("Event", "Type", "About"), _events(record, names))
    return bytes(page.output())


def _page(sealed_at: datetime) -> "FPDF":
    # fpdf2 brings Pillow and fontTools, which a service that seals nothing does not need.
    from fpdf import FPDF
    from pymupdf_fonts import myfont

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    page = FPDF(format="A4")
    page.set_creation_date(sealed_at)
    page.set_margin(MARGIN_MM)
    page.set_auto_page_break(True, MARGIN_MM)
    with NamedTemporaryFile(suffix=".ttf") as file:
        file.write(myfont(FONT_IN_PACKAGE))
        file.flush()
        page.add_font(FONT, fname=file.name)
    page.set_title("Dossier")
    page.add_page()
    return page


def _cover(page: "FPDF", record: Mapping[str, Any], sealed_by: str, sealed_at: datetime) -> None:
    asset, site = record["asset"], record["site"]
    _text(page, f"Dossier of {asset['name']}", TITLE_POINTS)
    _text(page, f"{asset['kind']} {asset['id']} at {site['name']} ({site['id']})", TEXT_POINTS)
    _text(page, f"Sealed by {sealed_by} on {_when(sealed_at.isoformat())}", TEXT_POINTS)
    _text(page, INTRODUCTION, TEXT_POINTS)


def _privacy(page: "FPDF", record: Mapping[str, Any]) -> None:
    _text(page, "Privacy: 45 CFR 164.310(d)(2)", HEADING_POINTS)
    _text(page, PRIVACY, TEXT_POINTS)
    rows = [(one["rule"], one["title"], ", ".join(one["shown_by"])) for one in record["privacy"]]
    _table(page, "", ("Rule", "What it asks", "Shown by"), rows)


def _parts(record: Mapping[str, Any]) -> Rows:
    for one in record["parts"]:
        made = _joined(one.get("manufacturer"), one.get("model"))
        yield one["name"], one.get("type") or one["kind"], made, one.get("serial"), one["state"]


def _life(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["transitions"]:
        named = names[one["asset_id"]]
        yield _when(one["at"]), named, one["from_state"], one["to_state"], one["actor"], one["reason"]


def _decisions(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["decisions"]:
        earned = "; ".join(f"{met['title']} ({', '.join(met['by'])})" for met in one["met"])
        yield _when(one["at"]), names[one["asset_id"]], one["to_state"], one["policy_version"], earned


def _evidence(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["evidence"]:
        serves = one["statement"] or _joined(one["what"], one["reference"])
        state = "recorded" if one["revoked_at"] is None else f"revoked: {one['revoked_reason']}"
        yield _when(one["at"]), names[one["asset_id"]], one["kind"], serves, one["recorded_by"], state


def _waivers(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["waivers"]:
        people = one["requested_by"], one["decided_by"]
        yield names[one["asset_id"]], one["kind"], one["state"], *people, one["reason"]


def _certificates(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["certificates"]:
        people = one["verified_by"], one["validated_by"]
        how = _joined(one["method"], one["technique"])
        yield names[one["medium_id"]], one["serial_number"], how, *people, one["certificate"]


def _custody(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["custody"]:
        certificate = one["certificate"] or {}
        place = _joined(one["place"], one["seal"] and f"seal {one['seal']}")
        certified = _joined(certificate.get("certification"), certificate.get("number"))
        ends = one["from_holder"], one["to_holder"]
        yield _when(one["at"]), names[one["asset_id"]], one["kind"], *ends, place, one["person"], certified


def _lines(disposal: Mapping[str, Any]) -> Rows:
    for one in disposal["lines"]:
        made = _joined(one["manufacturer"], one["model"])
        yield one["serial"], one["type"], made, one["weight_kg"], one["category"]


def _documents(record: Mapping[str, Any]) -> Rows:
    for one in record["documents"]:
        yield one["path"], _joined(one["title"], one["name"]), one["kind"], one["size"]


def _events(record: Mapping[str, Any], names: Mapping[str, str]) -> Rows:
    for one in record["events"]:
        yield one["id"], one["type"], names.get(one["subject"], one["subject"])


def _table(page: "FPDF", heading: str, columns: Sequence[str], rows: Rows) -> None:
    if heading:
        if page.will_page_break(ROOM_MM):
            page.add_page()
        _text(page, heading, HEADING_POINTS)
    told = [[_shown(page, value) for value in row] for row in rows]
    if not told:
        _text(page, "None.", TEXT_POINTS)
        return
    page.set_font(FONT, size=TABLE_POINTS)
    with page.table(text_align="LEFT", line_height=TABLE_POINTS * 0.5, headings_style=_plain()) as table:
        for row in (columns, *told):
            table.row(row)


def _plain() -> Any:
    from fpdf.fonts import FontFace

    return FontFace(emphasis="", fill_color=(230, 230, 230))


def _text(page: "FPDF", text: str, points: int) -> None:
    page.set_font(FONT, size=points)
    page.ln(points * 0.2)
    page.multi_cell(0, points * 0.5, _shown(page, text), align="L", new_x="LMARGIN", new_y="NEXT")


def _shown(page: "FPDF", value: object) -> str:
    """A value as text; what the font has no glyph for is told by its code, and stands as it is in the manifest."""
    known = cast("TTFFont", page.fonts[FONT.lower()]).cmap
    text = NOTHING if value in (None, "") else str(value)
    return "".join(char if char == "\n" or ord(char) in known else f"[U+{ord(char):04X}]" for char in text)


def _when(instant: str) -> str:
    return f"{instant[:10]} {instant[11:16]} UTC"


def _joined(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part)
