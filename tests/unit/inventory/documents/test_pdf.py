"""PDFs that would carry something out are refused, however they spell or pack it."""

import random
import zlib

import pytest

from services.inventory.documents import pdf
from services.inventory.documents.names import SUFFIXES
from services.inventory.documents.sniffing import PIECE
from services.inventory.dossier.pdf import render
from services.inventory.dossier.record import record_of
from shared.errors import Malformed
from tests.unit.cli.small_dossier import life
from tests.unit.inventory.custody.chains import NOW
from tests.unit.inventory.documents.test_sniffing import told

SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"


def written(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects."""
    body = b"".join(b"%d 0 obj\n%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.7\n" + body + b"trailer << " + trailer + b" >>\n%%EOF\n"


def packed(content: bytes, more: bytes = b"/Filter /FlateDecode", kind: bytes = b"/ObjStm") -> bytes:
    """An object stream with that content."""
    data = zlib.compress(content)
    return b"<< /Type %b /N 1 /First 4 %b /Length %d >>\nstream\r\n%b\nendstream" % (kind, more, len(data), data)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (written(b"<< /Type /Catalog /OpenAction 2 0 R >>", SCRIPT), "/JavaScript"),
        (written(b"<< /Names << /JavaScript 2 0 R >> >>"), "/JavaScript"),
        (written(b"<</S/J#61vaScr#69pt/JS(x)>>"), "/JavaScript"),
        (written(b"<< /S /Launch /F (cmd.exe) >>"), "/Launch"),
        (written(b"<</Type/EmbeddedFile>>"), "/EmbeddedFile"),
        (written(b"<</Names<</EmbeddedFiles 3 0 R>>>>"), "/EmbeddedFiles"),
        (written(b"<< /S /Rendition /JS (x) >>"), "/Rendition"),
        (written(b"<< /Subtype /RichMedia >>"), "/RichMedia"),
        (written(packed(b"5 0 " + SCRIPT)), "/JavaScript"),
        (written(packed(b"5 0 " + SCRIPT, kind=b"/Obj#53tm")), "/JavaScript"),
        (written(packed(b"5 0 " + SCRIPT, b"/F#69lter [ /FlateDecode ]")), "/JavaScript"),
        (written(packed(b" " * (PIECE - 20) + SCRIPT)), "/JavaScript"),
        (written(packed(b"5 0 /JavaScript")), "/JavaScript"),
        (written(b" " * (PIECE - 30) + SCRIPT), "/JavaScript"),
    ],
)
def test_what_a_reader_would_carry_out_is_refused_by_its_name(content: bytes, found: str) -> None:
    """Scripts, programs, media and files inside; spelled by numbers, packed, and across two pieces."""
    with pytest.raises(Malformed, match="must hold no scripts, no programs") as refused:
        told(content, "a.pdf")
    assert f"it has {found}" in refused.value.detail


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (written(packed(b"5 0 <<>>"), trailer=b"/Encrypt 9 0 R"), "without a password"),
        (written(packed(b"5 0 <<>>", b"/Filter /LZWDecode").replace(b"stream\r\nx", b"stream\r\ny")), "deflate alone"),
        (written(packed(b"5 0 <<>>", b"/Filter /FlateDecode /DecodeParms << /Predictor 12 >>")), "deflate alone"),
        (written(packed(b"5 0 <<>>")[:-24]), "deflate alone"),
    ],
)
def test_objects_that_nobody_can_look_at_are_refused(content: bytes, rule: str) -> None:
    """Encrypted, packed in another way, or spoilt."""
    with pytest.raises(Malformed, match=rule):
        told(content, "a.pdf")


def test_objects_that_unpack_to_more_than_is_looked_at_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all object streams together."""
    monkeypatch.setattr(pdf, "MAX_UNPACKED", 3_000_000)
    with pytest.raises(Malformed, match="not unpack to more than 3000000 bytes"):
        told(written(packed(bytes(2_000_000)), packed(bytes(2_000_000))), "a.pdf")
    with pytest.raises(Malformed, match="at most 20000 object streams"):
        told(written(b"/ObjStm " * 20_001), "a.pdf")


NOISE = random.Random(7).randbytes(3_000_000)


@pytest.mark.parametrize(
    "content",
    [
        written(b"<< /Type /Catalog /OpenAction [ 3 0 R /Fit ] >>"),
        written(b"<< /Title (JavaScript, launch and embedded files) >>", b"<< /Launchpad true /JavaScripts 1 >>"),
        written(packed(b"5 0 << /S /URI /URI (https://vendor.example.org) >>")),
        written(b"<< /Length 3000000 >>\nstream\n" + NOISE + b"\nendstream"),
        written(trailer=b"/Encrypt 9 0 R"),
        render(record_of(life()), "alice", NOW),
    ],
)
def test_pdfs_to_read_are_taken(content: bytes) -> None:
    """Links, a page to open at, words about scripts, noise, a document that may not be printed, and our own dossier."""
    assert told(content, "a.pdf") == SUFFIXES["pdf"]
