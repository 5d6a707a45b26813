"""A log in a folder has the files that C2SP tlog-tiles names, grows without a trace of how, and is read strictly."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from services.compliance.log.directory import DirectoryWriter, FileMissing, TileDirectory
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import plan_roots
from services.compliance.log.tiles import Bundle, NotATile, Tile, bundles_of, edge_of, tiles_of
from services.compliance.log.tiling import Tiling, edge_from
from services.compliance.log.tree import Edge

SIZES = [0, 1, 255, 256, 257, 512, 600, 65_535, 65_536, 65_537]


def entries_of(size: int, start: int = 0) -> Iterator[bytes]:
    """Entries that differ."""
    return (b"entry %d" % index for index in range(start, size))


def root_of(size: int) -> bytes:
    """The root over the first entries."""
    return Edge().grow(leaf_hashes([*entries_of(size)]))[0].root


def write(folder: Path, *sizes: int) -> None:
    """A log that was grown to each size in turn, as a new writer would do each time."""
    writer = DirectoryWriter(folder)
    done = 0
    for size in sizes:
        writer.add(entries_of(size, done))
        writer.finish(b"checkpoint of %d" % size)
        done = size
        writer = DirectoryWriter.resume(folder, size, writer.edge.root)


def files_in(folder: Path) -> set[str]:
    """All files, by their path below the folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def names_of(size: int) -> set[str]:
    """The files of a log of this size."""
    return {"checkpoint", *(tile.path for tile in tiles_of(size)), *(bundle.path for bundle in bundles_of(size))}


def root_in(log: TileDirectory, size: int) -> bytes:
    """The root that the log had at ``size``, from the tiles that it then had."""
    plan = plan_roots([size], size)
    [[root]] = plan.solve(log.tiles(plan.tiles))
    return root


@pytest.mark.parametrize("size", SIZES)
def test_folder_holds_the_log(tmp_path: Path, size: int) -> None:
    """Exactly the files that the tree has, from which every entry and the root are read again."""
    write(tmp_path, size)
    assert files_in(tmp_path) == names_of(size)
    log = TileDirectory(tmp_path)
    assert log.checkpoint() == b"checkpoint of %d" % size
    assert [entry for bundle in bundles_of(size) for entry in log.entries(bundle)] == list(entries_of(size))
    for bundle in bundles_of(size):
        assert log.tile(bundle.leaves) == leaf_hashes(log.entries(bundle))
    root = root_of(size)
    assert log.edge(size).root == root_in(log, size) == root


@pytest.mark.parametrize("sizes", [(0, 1, 2), (1, 255, 256, 257), (600, 700, 1000), (100, 65_530, 65_540)])
def test_growth_in_steps_leaves_what_one_step_does(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Each file is the same; beside them are partial files of older checkpoints, none of which is full by now."""
    write(tmp_path / "steps", *sizes)
    write(tmp_path / "once", sizes[-1])
    once, steps = files_in(tmp_path / "once"), files_in(tmp_path / "steps")
    assert all((tmp_path / "once" / name).read_bytes() == (tmp_path / "steps" / name).read_bytes() for name in once)
    older = {name for size in sizes for name in names_of(size)} - once
    assert steps - once == {name for name in older if name.partition(".p")[0] not in once}


def test_older_roots_are_read(tmp_path: Path) -> None:
    """That of an older checkpoint from the tiles it had, that of any size from those that the log has now."""
    write(tmp_path, 300, 1000)
    log = TileDirectory(tmp_path)
    roots = {size: root_of(size) for size in (0, 299, 300, 301, 999)}
    assert root_in(log, 300) == roots[300]
    plan = plan_roots(roots, 1000)
    assert plan.solve(log.tiles(plan.tiles)) == [[root] for root in roots.values()]


def test_log_whose_beginning_is_elsewhere(tmp_path: Path) -> None:
    """A later part is written from the right edge before it, and has the same files as the whole log there."""
    start, size = 512, 1100
    write(tmp_path / "whole", start, size)
    edge = edge_from(start, TileDirectory(tmp_path / "whole").tiles(edge_of(start)))
    writer = DirectoryWriter(tmp_path / "part", Tiling(edge))
    writer.add(entries_of(size, start))
    writer.finish(b"checkpoint of %d" % size)
    part = {"checkpoint", *(r.path for found in (tiles_of, bundles_of) for r in found(size, start))}
    assert files_in(tmp_path / "part") == part
    assert all((tmp_path / "part" / n).read_bytes() == (tmp_path / "whole" / n).read_bytes() for n in part)


def test_checkpoint_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads in the meantime finds the older checkpoint, and all that it tells of."""
    write(tmp_path, 300)
    writer = DirectoryWriter.resume(tmp_path, 300, TileDirectory(tmp_path).edge(300).root)
    writer.add(entries_of(1000, 300))
    assert TileDirectory(tmp_path).checkpoint() == b"checkpoint of 300"
    assert names_of(300) <= files_in(tmp_path)
    writer.finish(b"checkpoint of 1000", durable=True)
    assert TileDirectory(tmp_path).checkpoint() == b"checkpoint of 1000"
    assert not {name for name in files_in(tmp_path) if name.endswith(".new")}


def test_another_log_is_not_grown(tmp_path: Path) -> None:
    """The tiles must have the checkpoint's root, and the unfinished bundle the tile's hashes."""
    write(tmp_path, 300)
    root = TileDirectory(tmp_path).edge(300).root
    with pytest.raises(NotATile, match="another root than the checkpoint"):
        DirectoryWriter.resume(tmp_path, 300, sha256(b"another").digest())
    path = tmp_path / Bundle(1, 44).path
    path.write_bytes(path.read_bytes().replace(b"299", b"992"))
    with pytest.raises(NotATile, match="these 44 entries are not those of the tree's unfinished bundle"):
        DirectoryWriter.resume(tmp_path, 300, root)
    with pytest.raises(NotATile):
        Tiling(Edge(), [b"entry"])


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A checkpoint, a tile, a bundle."""
    log = TileDirectory(tmp_path)
    with pytest.raises(FileMissing, match="checkpoint is missing"):
        log.checkpoint()
    with pytest.raises(FileMissing, match=r"tile/0/000\.p/3 is missing"):
        log.tile(Tile(0, 0, 3))
    with pytest.raises(FileMissing, match="tile/entries/x001/000 is missing"):
        log.entries(Bundle(1000))


@pytest.mark.parametrize("change", [b"", b"x"])
def test_what_does_not_fit_its_name_is_refused(tmp_path: Path, change: bytes) -> None:
    """Cut by a byte or longer by one; also where only a part of it was asked for."""
    write(tmp_path, 300)
    log = TileDirectory(tmp_path)
    for resource in (Tile(0, 0), Tile(0, 1, 44), Bundle(0), Bundle(1, 44)):
        path = tmp_path / resource.path
        path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    for tile in (Tile(0, 0), Tile(0, 0, 5), Tile(0, 1, 44)):
        with pytest.raises(NotATile):
            log.tile(tile)
    for bundle in (Bundle(0), Bundle(0, 5), Bundle(1, 44)):
        with pytest.raises(NotATile):
            log.entries(bundle)


def test_entry_that_does_not_fit_is_refused() -> None:
    """A bundle gives the length 16 bits; what came before stays."""
    tiling = Tiling()
    assert list(tiling.extend([bytes(0xFFFF)])) == []
    with pytest.raises(NotATile, match="entry 1 has 65536 bytes; the limit is 65535"):
        list(tiling.extend([bytes(0x10000)]))
    assert tiling.edge.size == 1
