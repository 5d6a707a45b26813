"""Names and contents of tiles and bundles: one form each, and nothing that does not fit it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.tiles import (
    Bundle,
    NotATile,
    Tile,
    bundles_of,
    check_tile,
    edge_of,
    is_in_tree,
    parse_path,
    split_bundle,
    tiles_of,
)

PATHS = {
    "tile/0/000": Tile(0, 0),
    "tile/0/x001/x234/067": Tile(0, 1_234_067),
    "tile/1/999.p/1": Tile(1, 999, 1),
    "tile/63/x001/000.p/255": Tile(63, 1000, 255),
    "tile/entries/x001/x234/067": Bundle(1_234_067),
    "tile/entries/017.p/112": Bundle(17, 112),
}
NO_PATHS = [
    *("", "tile", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/0/1000", "tile/0/001/234", "tile/0/x001"),
    *("tile/0/x000/001", "tile/0/x001/x234", "tile/00/000", "tile/01/000", "tile/64/000", "tile/-1/000"),
    *("tile/0/000.p/0", "tile/0/000.p/00", "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/", "tile/0/000.p"),
    *("tile/0/000.p/1/", "/tile/0/000", "tile/0/000/", "tile/entries/", "tile/entries/1", "tile/data/000"),
    *("tile/0/٠٠٠", "tile/0/000\n", "tile/0/../000", "tile/0/X001/234", "tile/8/0/000"),
    "tile/0/" + "x999/" * 6 + "999",
]


def bundle_of(entries: list[bytes]) -> bytes:
    """Entries, each behind its length."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


@pytest.mark.parametrize(("path", "resource"), PATHS.items())
def test_paths_are_read_and_written(path: str, resource: Tile | Bundle) -> None:
    """Both directions, for tiles and bundles, full and partial."""
    assert parse_path(path) == resource
    assert resource.path == path


@pytest.mark.parametrize("path", NO_PATHS)
def test_every_other_form_is_refused(path: str) -> None:
    """A resource has one name."""
    with pytest.raises(NotATile):
        parse_path(path)


@given(st.integers(0, 2**63 - 1), st.integers(1, 256), st.integers(0, 63))
def test_every_resource_is_found_by_its_path(number: int, width: int, level: int) -> None:
    """Whatever can be named is read again as the same."""
    for resource in (Tile(level, number, width), Bundle(number, width)):
        assert parse_path(resource.path) == resource


def test_tiles_of_the_specifications_examples() -> None:
    """Trees of 70,000 and of 256 have the tiles that C2SP tlog-tiles says, "Partial Tiles"."""
    tiles = list(tiles_of(70_000))
    assert [tile for tile in tiles if tile.level == 0] == [*(Tile(0, n) for n in range(273)), Tile(0, 273, 112)]
    assert [tile for tile in tiles if tile.level > 0] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []
    assert list(bundles_of(70_000))[-2:] == [Bundle(272), Bundle(273, 112)]


@given(st.integers(0, 20_000_000), st.integers(0, 20_000_000))
def test_the_partial_tiles_are_the_edge(size: int, start: int) -> None:
    """As wide as the specification's formula says; and what a pruned log no longer has is not listed."""
    edge = edge_of(size)
    for tile in edge:
        assert tile.width == size // 256**tile.level % 256
        assert is_in_tree(tile, size)
        assert not is_in_tree(tile, (256 * tile.number + tile.width) * 256**tile.level - 1)
    assert [tile for tile in tiles_of(size, max(0, size - 1)) if tile.width < 256] == edge
    listed = list(tiles_of(size, start)) if start > size - 100_000 else []
    assert all((tile.number + 1) * 256 ** (tile.level + 1) > start for tile in listed)


@pytest.mark.parametrize("resource", [Tile(0, 1, 44), Bundle(1, 44)])
def test_a_tree_has_what_it_has_grown_to(resource: Tile | Bundle) -> None:
    """A partial tile is there from its last hash on."""
    assert [is_in_tree(resource, size) for size in (0, 256, 299, 300, 301, 1000)] == [False] * 3 + [True] * 3


def test_sound_bundles_and_tiles() -> None:
    """They fit; entries are split into exactly what was joined; C2SP tlog-tiles lets an entry be empty."""
    entries = [b"", b"x", bytes(0xFFFF), *(b"%d" % n for n in range(253))]
    assert split_bundle(Bundle(5), bundle_of(entries)) == entries
    assert split_bundle(Bundle(5, 3), bundle_of(entries[:3])) == entries[:3]
    check_tile(Tile(0, 5), bytes(8192))
    check_tile(Tile(0, 5, 2), bytes(64))


ENTRIES = [b"entry %d" % n for n in range(257)]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (bundle_of(ENTRIES), "must have 256 entries, and has 257"),
        (bundle_of(ENTRIES[:256]) + b"\0", "must have 256 entries: entry 256 of these is cut off"),
        (bundle_of(ENTRIES[:255]), "must have 256 entries, and has 255"),
        (bundle_of(ENTRIES[:256])[:-1], "must have 256 entries: entry 255 of these is cut off"),
        (bundle_of(ENTRIES[:255]) + b"\0", "must have 256 entries: entry 255 of these is cut off"),
        (bundle_of(ENTRIES[:1])[:1], "must have 256 entries: entry 0 of these is cut off"),
        (b"", "must have 256 entries, and has 0"),
    ],
)
def test_bundles_that_do_not_fit_are_refused(body: bytes, fault: str) -> None:
    """One with an entry too many, one cut at an entry's edge or within one, an empty one: each says what is wrong."""
    with pytest.raises(NotATile, match=f"tile/entries/002 {fault}"):
        split_bundle(Bundle(2), body)


@pytest.mark.parametrize("hashes", [0, 1, 255, 257])
def test_tiles_of_the_wrong_width_are_refused(hashes: int) -> None:
    """The name says how many hashes there are."""
    with pytest.raises(NotATile, match=rf"tile/1/002 must have 8192 bytes for 256 hashes, and has {32 * hashes}"):
        check_tile(Tile(1, 2), bytes(32 * hashes))


@pytest.mark.parametrize("width", [-1, 0, 257])
def test_no_resource_has_such_a_width(width: int) -> None:
    """Empty tiles are not served, and none holds more than 256."""
    with pytest.raises(NotATile, match="width"):
        Tile(0, 0, width)
    with pytest.raises(NotATile, match="width"):
        Bundle(0, width)
