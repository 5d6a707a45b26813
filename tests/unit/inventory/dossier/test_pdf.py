"""The PDF of a dossier: the same record gives the same bytes, in whatever script its names are."""

from typing import Any

import pytest

from services.inventory.dossier.pdf import render
from services.inventory.dossier.record import record_of
from tests.unit.cli.small_dossier import life
from tests.unit.inventory.custody.chains import NOW


def named(name: str) -> dict[str, Any]:
    """The record of the small life, of an asset of that name."""
    record = record_of(life())
    return record | {"asset": record["asset"] | {"name": name}}


@pytest.mark.parametrize(
    "name",
    [
        "Nördliches Archiv, Łódź",
        "Αρχείο, Архів",
        "ארכיון",
        "أرشيف",
        "北アーカイブ",
        "\U0001f5c4 \ufffe",
        "a" * 300,
        "a\nb\t\x00c",
    ],
)
def test_same_record_gives_the_same_bytes(name: str) -> None:
    """Twice, to the byte; what the font has no glyph for is told by its code and stops nothing."""
    once = render(named(name), "alice", NOW)
    assert once.startswith(b"%PDF-")
    assert render(named(name), "alice", NOW) == once
    assert render(named("Another"), "alice", NOW) != once


def test_long_life_fits_on_pages() -> None:
    """A hundred moves, with reasons that are longer than a line."""
    record = named("North archive")
    moves = [record["transitions"][0] | {"reason": "for a good reason " * 30}] * 100
    assert len(render(record | {"transitions": moves}, "alice", NOW)) > len(render(record, "alice", NOW))
