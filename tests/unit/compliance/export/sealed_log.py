"""A log in memory, with checkpoints over it, and the packages that are made of it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.compliance.checkpoints.checkpoint import Checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign
from services.compliance.checkpoints.manifest import manifest_event, site_lines
from services.compliance.checkpoints.note import Signature, SignerKey, build_note
from services.compliance.export.evidence import Claim, Kept, SiteProof, prove_site
from services.compliance.export.package import Sealed, log_lines, pack
from services.compliance.log.entry import Entry, build_entry, parse_entry
from services.compliance.log.hashing import HASH_BYTES, fold, leaf_hashes
from services.compliance.log.tiles import Tile, tiles_of
from services.compliance.log.tree import TILE_BYTES
from shared.events import GROUP

ORIGIN = "steward.example-hospitals.org/log"
KEY = SignerKey.from_seed(ORIGIN, b"k" * 32)
WITNESS = SignerKey.from_seed("witness.north.example.org", b"w" * 32, CosignatureKey)
START = datetime(2026, 1, 1, tzinfo=UTC)


def minute(number: int) -> datetime:
    """The time at which the log of the tests stands at a minute."""
    return START + timedelta(minutes=number)


@dataclass
class SealedLog:
    """A log that is appended to entry by entry; ``seal`` closes it with a manifest, as a checkpoint needs."""

    entries: list[bytes] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)

    def append(self, site_id: str, at: datetime, event: bytes = b'{"data":"\xc3\xbc\\n"}') -> None:
        """Appends an entry to the site."""
        sequence = self.heads.get(site_id, 0)
        self.entries.append(build_entry(Entry(site_id, sequence, at, event)))
        self.heads[site_id] = sequence + 1

    def seal(self, at: datetime) -> None:
        """Appends a manifest."""
        heads = self.heads | {GROUP: self.heads.get(GROUP, 0) + 1}
        self.append(GROUP, at, manifest_event(heads, event_id="m", time=at))

    @property
    def checkpoint(self) -> bytes:
        """The signed and cosigned checkpoint over all entries."""
        root = fold(leaf_hashes(self.entries))
        text = str(Checkpoint(ORIGIN, len(self.entries), root))
        own = Signature(ORIGIN, KEY.verifier.key_id, KEY.sign(text.encode()))
        return build_note(text, [own, cosign(WITNESS, text, 1_800_000_000)])

    def site_proof(self, site_id: str) -> SiteProof:
        """The proof of a site's line."""
        found = prove_site(site_id, site_lines(self.heads))
        assert found is not None
        return found

    def select(self, claim: Claim) -> list[int]:
        """The indices of what a package holds: the period's entries, one before, one after, the manifest."""
        parsed = [parse_entry(raw) for raw in self.entries]
        own = [index for index, entry in enumerate(parsed) if entry.site_id == claim.site_id]
        before = [index for index in own if parsed[index].recorded_at < claim.start]
        after = [index for index in own if parsed[index].recorded_at >= claim.end]
        within = [index for index in own if claim.start <= parsed[index].recorded_at < claim.end]
        return sorted({*before[-1:], *within, *after[:1], len(self.entries) - 1})

    async def package(self, claim: Claim, indices: Sequence[int] | None = None, page: int = 3) -> bytes:
        """The package, of the entries that belong in it or of others."""
        kept = self.select(claim) if indices is None else indices
        lines = log_lines(len(self.entries), self.pages(kept, page), self.read)
        return b"".join([piece async for piece in pack(self.sealed(claim), lines)])

    def sealed(self, claim: Claim) -> Sealed:
        """All of a package but its entries."""
        site = self.site_proof(claim.site_id)
        return Sealed(claim, self.checkpoint, ORIGIN, len(self.entries), site, [str(KEY.verifier)])

    async def pages(self, indices: Sequence[int], page: int) -> AsyncIterator[Sequence[Kept]]:
        """Entries of the log in pages."""
        for at in range(0, len(indices), page):
            yield [Kept(i, self.entries[i]) for i in indices[at : at + page]]

    async def read(self, tiles: AbstractSet[Tile]) -> Mapping[Tile, bytes]:
        """Tiles as the log serves them."""
        found = _tiles(leaf_hashes(self.entries)) if tiles else {}
        return {tile: found[tile] for tile in tiles}


def _tiles(hashes: bytes) -> dict[Tile, bytes]:
    size = len(hashes) // HASH_BYTES
    levels = [hashes]
    while len(levels[-1]) >= TILE_BYTES:
        whole = len(levels[-1]) - len(levels[-1]) % TILE_BYTES
        levels.append(b"".join(fold(levels[-1][at : at + TILE_BYTES]) for at in range(0, whole, TILE_BYTES)))
    return {tile: levels[tile.level][tile.number * TILE_BYTES :][: tile.byte_count] for tile in tiles_of(size)}
