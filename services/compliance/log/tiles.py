"""The resources of C2SP tlog-tiles: what a hash tile and an entry bundle are called, which ones a tree has, what fits.

A tile holds up to 256 hashes of one level, a bundle up to 256 entries. Only the last one of a level may hold fewer,
and then its name says how many. Every resource has one name only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.compliance.log.bundle import NotABundle, divide
from services.compliance.log.entry import MAX_ENTRY_BYTES
from services.compliance.log.hashing import HASH_BYTES, LENGTH_BYTES
from services.compliance.log.tree import TILE
from shared.errors import StewardError

TILE_WIDTH = TILE
TILE_BITS = 8
MAX_LEVEL = 63
MAX_BUNDLE_BYTES = TILE_WIDTH * (LENGTH_BYTES + MAX_ENTRY_BYTES)

PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class NotATile(StewardError):
    """A name that no tile or bundle has, or bytes that do not fit the name; says which rule they break."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """``width`` hashes from the ``number``th tile of a ``level``. A hash of level L covers 256**L entries."""

    level: int
    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise NotATile(f"level {self.level} must be 0 to {MAX_LEVEL}")
        _check_place(self.number, self.width)

    @property
    def path(self) -> str:
        """The name, relative to the log's prefix."""
        return f"tile/{self.level}/{_place(self.number, self.width)}"

    @property
    def byte_count(self) -> int:
        """How many bytes its hashes have."""
        return self.width * HASH_BYTES


@dataclass(frozen=True, slots=True, order=True)
class Bundle:
    """``width`` entries from index ``256 * number`` on."""

    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check_place(self.number, self.width)

    @property
    def path(self) -> str:
        """The name, relative to the log's prefix."""
        return f"tile/entries/{_place(self.number, self.width)}"

    @property
    def start(self) -> int:
        """The index of its first entry."""
        return self.number * TILE_WIDTH

    @property
    def leaves(self) -> Tile:
        """The tile that holds the hashes of its entries."""
        return Tile(0, self.number, self.width)


def parse_path(path: str) -> Tile | Bundle:
    """What ``path`` names. Raises NotATile for all but the one form that a name has."""
    match = PATH.fullmatch(path)
    if match is None:
        raise NotATile(f"{path} must be like tile/0/x001/234, tile/1/000.p/17 or tile/entries/x001/234.p/5")
    number = int(re.sub("[x/]", "", match["number"]))
    width = int(match["width"] or TILE_WIDTH)
    found = Bundle(number, width) if match["level"] == "entries" else Tile(int(match["level"]), number, width)
    if found.path != path:
        raise NotATile(f"{path} must be written {found.path}")
    return found


def tiles_of(size: int, start: int = 0) -> Iterator[Tile]:
    """The tiles of a tree of ``size`` entries, level by level, but for those that end at or before index ``start``."""
    level = 0
    while hashes := size >> TILE_BITS * level:
        first = (start >> TILE_BITS * level) // TILE_WIDTH
        for number in range(first, -(-hashes // TILE_WIDTH)):
            yield Tile(level, number, min(TILE_WIDTH, hashes - number * TILE_WIDTH))
        level += 1


def bundles_of(size: int, start: int = 0) -> Iterator[Bundle]:
    """The bundles of a log of ``size`` entries, but for those that end at or before index ``start``."""
    for number in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        yield Bundle(number, min(TILE_WIDTH, size - number * TILE_WIDTH))


def edge_of(size: int) -> list[Tile]:
    """The partial tiles of a tree of ``size`` entries, lowest level first: all that its root and its growth need."""
    tiles = []
    level = 0
    while hashes := size >> TILE_BITS * level:
        if hashes % TILE_WIDTH:
            tiles.append(Tile(level, hashes // TILE_WIDTH, hashes % TILE_WIDTH))
        level += 1
    return tiles


def is_in_tree(resource: Tile | Bundle, size: int) -> bool:
    """Whether a tree of ``size`` entries has got as far as this tile or bundle."""
    level = resource.level if isinstance(resource, Tile) else 0
    return resource.number * TILE_WIDTH + resource.width <= size >> TILE_BITS * level


def check_tile(tile: Tile, body: bytes) -> None:
    """Raises NotATile unless there are exactly as many hashes as the tile's name says."""
    if len(body) != tile.byte_count:
        raise NotATile(f"{tile.path} must have {tile.byte_count} bytes for {tile.width} hashes, and has {len(body)}")


def split_bundle(bundle: Bundle, body: bytes) -> list[bytes]:
    """The entries of a bundle. Raises NotATile unless there are exactly as many as its name says, and nothing else."""
    try:
        entries = divide(body)
    except NotABundle as exc:
        raise NotATile(f"{bundle.path} must have {bundle.width} entries: {exc}") from exc
    if len(entries) != bundle.width:
        raise NotATile(f"{bundle.path} must have {bundle.width} entries, and has {len(entries)}")
    return entries


def _place(number: int, width: int) -> str:
    groups = []
    while number >= 1000:
        number, last = divmod(number, 1000)
        groups.append(f"{last:03}")
    groups.append(f"{number:03}")
    place = "".join(f"x{group}/" for group in reversed(groups[1:])) + groups[0]
    return place if width == TILE_WIDTH else f"{place}.p/{width}"


def _check_place(number: int, width: int) -> None:
    if not 0 <= number < 1 << 63:
        raise NotATile(f"number {number} must be 0 to 2**63 - 1")
    if not 1 <= width <= TILE_WIDTH:
        raise NotATile(f"width {width} must be 1 to {TILE_WIDTH}, and only a full one's name omits it")
