"""How many entries each site has, and the tree over these heads that manifests name the root of.

The tree is kept from manifest to manifest: between two of them few sites have grown.
"""

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping

import msgspec

from services.compliance.log.bundle import NotABundle, unpack
from services.compliance.log.tree import EMPTY_ROOT, leaf_hash, node_hash
from services.compliance.verify.domain import ManifestRow
from services.compliance.verify.entries import Manifested

GROUP = "group"
"""The site of a manifest; checkpoints/manifest.py writes them, and the lines that their root is over."""


class _Manifest(msgspec.Struct):
    sites: int
    root: str


class _Event(msgspec.Struct):
    data: _Manifest


_decode = msgspec.json.Decoder(_Event).decode


class Heads:
    """The heads of the sites that have an entry."""

    def __init__(self, heads: Mapping[str, int]) -> None:
        self.by_site = dict(heads)
        self._places: dict[str, int] = {}
        self._levels: list[list[bytes]] = []
        self._stale: set[str] = set()

    def grow(self, grown: Mapping[str, int]) -> None:
        """Takes the heads of sites that have grown."""
        self.by_site |= grown
        self._stale |= grown.keys()

    def root(self) -> bytes:
        """The RFC 6962 root over the sorted lines of all sites."""
        if len(self._places) != len(self.by_site):
            self._places = {site: place for place, site in enumerate(sorted(self.by_site))}
            self._levels = list(_empty_levels(len(self._places)))
            self._stale = set(self.by_site)
        if not self._levels:
            return EMPTY_ROOT
        stale = {self._places[site]: leaf_hash(_line(site, self.by_site[site])) for site in self._stale}
        self._stale = set()
        for level, above in zip(self._levels, [*self._levels[1:], None], strict=True):
            for place, value in stale.items():
                level[place] = value
            if above is not None:
                stale = {place: _over(level[2 * place : 2 * place + 2]) for place in {at // 2 for at in stale}}
        return self._levels[-1][0]

    def fault_of(self, manifested: Manifested) -> str | None:
        """What is wrong with a manifest that stands behind these heads; None if nothing is."""
        if manifested.site_id != GROUP:
            return f"a manifest is of the site {GROUP}, not of {manifested.site_id}"
        manifest = _read(manifested)
        if isinstance(manifest, str):
            return manifest
        if manifest.sites != len(self.by_site):
            return f"the manifest counts {manifest.sites} sites, and {len(self.by_site)} have entries"
        root = b64encode(self.root()).decode()
        return None if manifest.root == root else f"the root over the sites' heads is {root}"

    def leaves_open(self, manifested: Manifested, known: Collection[str]) -> bool:
        """Whether a manifest behind pruned entries counts sites without an entry since, whose heads nobody knows."""
        manifest = _read(manifested)
        return manifested.site_id == GROUP and not isinstance(manifest, str) and manifest.sites > len(known)

    def fault_of_row(self, row: ManifestRow | None) -> str | None:
        """What is wrong with the lines that are kept of a manifest behind these heads; None if nothing is."""
        if row is None:
            return "no row is kept of this manifest"
        try:
            lines = unpack(row.lines)
        except NotABundle as exc:
            return f"its lines can't be read: {exc}"
        return None if lines == b"\n".join(_lines(self.by_site)) else "its lines are not the sites' heads"


def _line(site: str, head: int) -> bytes:
    return b"%s %d" % (site.encode(), head)


def _lines(heads: Mapping[str, int]) -> list[bytes]:
    return [_line(site, head) for site, head in sorted(heads.items()) if head]


def _read(manifested: Manifested) -> _Manifest | str:
    """What a manifest says, or why it can't be read."""
    try:
        return _decode(manifested.event).data
    except msgspec.MsgspecError as exc:
        return f"the manifest can't be read: {exc}"


def heads_of(row: ManifestRow) -> dict[str, int]:
    """The heads that are kept of a manifest, which may be wrong; none where they can't be read."""
    try:
        parts = [line.decode().split(" ") for line in unpack(row.lines).split(b"\n")]
        return {site: int(head) for site, head in parts}
    except ValueError:
        return {}


def _empty_levels(width: int) -> Iterator[list[bytes]]:
    while width:
        yield [b""] * width
        width = 0 if width == 1 else (width + 1) // 2


def _over(pair: list[bytes]) -> bytes:
    return node_hash(*pair) if len(pair) == 2 else pair[0]
