"""Tessera's fsck confirms our folders over HTTP, and our reader accepts all that Tessera's POSIX driver writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.compliance.checkpoints.checkpoint import open_checkpoint
from services.compliance.checkpoints.note import VerifierKey
from services.compliance.log.directory import DirectoryWriter, TileDirectory
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import plan_inclusions, plan_roots, verify_inclusion
from services.compliance.log.tiles import Bundle, NotATile, Tile, bundles_of, tiles_of
from services.compliance.log.tree import Edge, leaf_hash
from tests.contract.compliance.log.notes import KEY, ORIGIN, checkpoint_of
from tests.contract.compliance.log.serving import served
from tests.parts.tessera import build_posix_log, fsck

SIZES = [1, 255, 256, 257, 65_535, 65_536, 65_537]


def entries_of(size: int) -> list[bytes]:
    """Entries that differ."""
    return [b"entry %d" % index for index in range(size)]


def write(folder: Path, size: int) -> Edge:
    """A log of ours."""
    writer = DirectoryWriter(folder)
    writer.add(entries_of(size))
    writer.finish(checkpoint_of(writer.edge))
    return writer.edge


@pytest.mark.parametrize("size", SIZES)
async def test_fsck_confirms_our_folder(tmp_path: Path, size: int) -> None:
    """Every bundle, every tile, partial ones too, and the signed checkpoint over them."""
    write(tmp_path / "log", size)
    with served(tmp_path / "log") as url:
        verdict = await fsck(url, str(KEY.verifier), tmp_path)
    assert verdict.is_confirmed, verdict.words
    assert f"with size {size} " in verdict.words


async def test_fsck_confirms_a_folder_that_was_grown(tmp_path: Path) -> None:
    """In steps that end within a bundle, at its edge and beyond."""
    edge = write(tmp_path / "log", 200)
    for size in (256, 300, 1000):
        writer = DirectoryWriter.resume(tmp_path / "log", edge.size, edge.root)
        writer.add(entries_of(size)[edge.size :])
        writer.finish(checkpoint_of(writer.edge))
        edge = writer.edge
        with served(tmp_path / "log") as url:
            verdict = await fsck(url, str(KEY.verifier), tmp_path)
        assert verdict.is_confirmed, verdict.words


def flip(path: Path) -> None:
    """Another first byte behind an entry's length."""
    body = bytearray(path.read_bytes())
    body[3] ^= 1
    path.write_bytes(body)


def cut_the_last_entry(path: Path) -> None:
    """A bundle that ends at an entry's edge."""
    path.write_bytes(path.read_bytes()[: -len(b"..entry 255")])


CHANGES: list[tuple[Bundle | Tile, Callable[[Path], object]]] = [
    (Bundle(0), flip),
    (Bundle(1, 44), flip),
    (Tile(0, 0), flip),
    (Tile(0, 1, 44), flip),
    (Tile(1, 0, 1), flip),
    (Bundle(0), cut_the_last_entry),
    (Bundle(0), lambda path: path.write_bytes(b"")),
    (Tile(0, 1, 44), Path.unlink),
]


@pytest.mark.parametrize(("resource", "change"), CHANGES)
async def test_fsck_does_not_confirm_a_changed_folder(
    tmp_path: Path, resource: Bundle | Tile, change: Callable[[Path], object]
) -> None:
    """It confirms the same folder before the change, and that without needing the time it is given after it."""
    write(tmp_path / "log", 300)
    with served(tmp_path / "log") as url:
        assert (await fsck(url, str(KEY.verifier), tmp_path)).is_confirmed
        change(tmp_path / "log" / resource.path)
        assert not (await fsck(url, str(KEY.verifier), tmp_path, within=3)).is_confirmed


async def test_our_reader_refuses_the_entry_too_many_that_fsck_confirms(tmp_path: Path) -> None:
    """A full bundle has 256 entries. A 257th is in no tree, and yet a client might take it for a logged one."""
    write(tmp_path / "log", 300)
    path = tmp_path / "log" / Bundle(0).path
    path.write_bytes(path.read_bytes() + b"\0\7smuggle")
    with served(tmp_path / "log") as url:
        assert (await fsck(url, str(KEY.verifier), tmp_path)).is_confirmed
    with pytest.raises(NotATile, match="must have 256 entries, and has 257"):
        TileDirectory(tmp_path / "log").entries(Bundle(0))


@pytest.mark.parametrize("size", [0, *SIZES])
def test_we_accept_the_log_that_tessera_writes(tmp_path: Path, size: int) -> None:
    """Its checkpoint, each of its tiles and bundles as our tree has them, and proofs from its tiles."""
    entries = entries_of(size)
    built = build_posix_log(tmp_path / "log", ORIGIN, entries)
    log = TileDirectory(built.folder)
    checkpoint = open_checkpoint(log.checkpoint(), [VerifierKey.parse(built.public_key)])
    assert (checkpoint.size, checkpoint.root) == (size, Edge().grow(leaf_hashes(entries))[0].root)
    assert [entry for bundle in bundles_of(size) for entry in log.entries(bundle)] == entries
    write(tmp_path / "ours", size)
    assert log.tiles(tiles_of(size)) == TileDirectory(tmp_path / "ours").tiles(tiles_of(size))
    roots = plan_roots([size], size)
    assert roots.solve(log.tiles(roots.tiles)) == [[checkpoint.root]]
    indices = sorted({0, size // 3, size - 1}) if size else []
    plan = plan_inclusions(indices, size)
    for index, proof in zip(indices, plan.solve(log.tiles(plan.tiles)), strict=True):
        verify_inclusion(index, size, leaf_hash(entries[index]), proof, checkpoint.root)


async def test_a_log_of_tessera_is_grown_by_us(tmp_path: Path) -> None:
    """We resume where it stopped, with a checkpoint of our own; fsck confirms the result."""
    entries = entries_of(1000)
    built = build_posix_log(tmp_path / "log", ORIGIN, entries[:700])
    checkpoint = open_checkpoint(TileDirectory(built.folder).checkpoint(), [VerifierKey.parse(built.public_key)])
    writer = DirectoryWriter.resume(built.folder, checkpoint.size, checkpoint.root)
    writer.add(entries[700:])
    writer.finish(checkpoint_of(writer.edge))
    with served(built.folder) as url:
        verdict = await fsck(url, str(KEY.verifier), tmp_path)
    assert verdict.is_confirmed, verdict.words
