"""Go's sumdb packages accept our proofs, tiles and notes, and we accept theirs: both sides are what they are in use."""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from services.compliance.checkpoints.checkpoint import Checkpoint, open_checkpoint
from services.compliance.checkpoints.note import SignerKey, VerifierKey
from services.compliance.log.directory import DirectoryWriter, TileDirectory
from services.compliance.log.hashing import leaf_hashes
from services.compliance.log.proofs import (
    plan_consistency,
    plan_inclusions,
    plan_roots,
    verify_consistency,
    verify_inclusion,
)
from services.compliance.log.tree import Edge, leaf_hash
from tests.contract.compliance.log.notes import KEY, ORIGIN, checkpoint_of
from tests.parts import go

SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 1000, 65_535, 65_536, 65_537]


def entries_of(size: int) -> list[bytes]:
    """Entries that differ."""
    return [b"entry %d" % index for index in range(size)]


def places(size: int, count: int = 12) -> list[int]:
    """The first and the last indices, those around tiles' edges, and some between."""
    edges = (0, 1, 255, 256, 257, 65_535, 65_536, size - 2, size - 1)
    return sorted({*(at for at in edges if 0 <= at < size), *(Random(size).randrange(size) for _ in range(count))})


@pytest.fixture(params=SIZES)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TileDirectory, Edge]:
    """A log of ours in a folder."""
    writer = DirectoryWriter(tmp_path)
    writer.add(entries_of(request.param))
    writer.finish(checkpoint_of(writer.edge))
    return TileDirectory(tmp_path), writer.edge


def test_go_reads_our_tiles_and_makes_the_same_proofs(log: tuple[TileDirectory, Edge]) -> None:
    """From our folder, each tile authenticated by our root, Go proves what we prove, node by node."""
    source, edge = log
    indices = places(edge.size)
    olds = [index + 1 for index in indices]
    [answer] = go.ask(go.read_folder(source.folder, edge.size, edge.root, indices, olds))
    assert answer.error == ""
    assert answer.root == edge.root
    inclusions, roots = plan_inclusions(indices, edge.size), plan_roots(olds, edge.size)
    assert inclusions.solve(source.tiles(inclusions.tiles)) == answer.inclusions
    assert roots.solve(source.tiles(roots.tiles)) == [[root] for root in answer.roots]
    for old, history in zip(olds, answer.histories, strict=True):
        plan = plan_consistency(old, edge.size)
        assert plan.solve(source.tiles(plan.tiles)) == [history]


def test_go_accepts_our_proofs_and_refuses_them_damaged(log: tuple[TileDirectory, Edge]) -> None:
    """Every proof passes Go's check; with a bit of it flipped, it doesn't."""
    source, edge = log
    sound = [*inclusion_requests(source, edge), *consistency_requests(source, edge)]
    assert {answer.error for answer in go.ask(*sound)} == {""}
    damaged = [with_a_bit_flipped(request) for request in sound if request["proof"]]
    assert all("invalid" in answer.error for answer in go.ask(*damaged))


def with_a_bit_flipped(request: go.Request) -> go.Request:
    """The same request, with another first node of its proof."""
    first, *others = request["proof"]
    raw = b64decode(first)
    return {**request, "proof": [b64encode(bytes([raw[0] ^ 1]) + raw[1:]).decode(), *others]}


def inclusion_requests(source: TileDirectory, edge: Edge) -> Iterator[go.Request]:
    """Our proofs of some entries."""
    indices = places(edge.size)
    plan = plan_inclusions(indices, edge.size)
    for index, proof in zip(indices, plan.solve(source.tiles(plan.tiles)), strict=True):
        yield go.check_inclusion(index, edge.size, leaf_hash(b"entry %d" % index), proof, edge.root)


def consistency_requests(source: TileDirectory, edge: Edge) -> Iterator[go.Request]:
    """Our proofs from some older trees."""
    for old in (index + 1 for index in places(edge.size)):
        plan, roots = plan_consistency(old, edge.size), plan_roots([old], edge.size)
        [proof], [[root]] = plan.solve(source.tiles(plan.tiles)), roots.solve(source.tiles(roots.tiles))
        yield go.check_consistency(old, edge.size, root, edge.root, proof)


def test_go_finds_a_tile_that_was_changed(log: tuple[TileDirectory, Edge]) -> None:
    """The check that the other tests rely on can fail."""
    source, edge = log
    tile = plan_roots([edge.size], edge.size).tiles.pop()
    path = source.folder / tile.path
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    [answer] = go.ask(go.read_folder(source.folder, edge.size, edge.root, [0], []))
    assert "downloaded inconsistent tile" in answer.error


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 600])
def test_we_accept_the_proofs_that_go_makes(size: int) -> None:
    """Of all entries and from all older trees, over a tree that Go itself built from the entries."""
    entries = entries_of(size)
    olds = range(1, size + 1)
    [answer] = go.ask(go.build_tree(entries, range(size), olds))
    assert answer.root == Edge().grow(leaf_hashes(entries))[0].root
    for index, proof in enumerate(answer.inclusions):
        verify_inclusion(index, size, leaf_hash(entries[index]), proof, answer.root)
    for old, old_root, proof in zip(olds, answer.roots, answer.histories, strict=True):
        verify_consistency(old, size, old_root, answer.root, proof)


def test_go_opens_our_checkpoint() -> None:
    """With our public key, and not when the text, the key or the signer is another."""
    edge = Edge().grow(leaf_hashes(entries_of(300)))[0]
    raw = checkpoint_of(edge)
    other = SignerKey.from_seed(ORIGIN, bytes(32)).verifier
    renamed = SignerKey.from_seed("other.example.org/log", KEY.seed).verifier
    opened, changed, *foreign = go.ask(
        go.open_note(raw, [str(KEY.verifier)]),
        go.open_note(raw.replace(b"\n300\n", b"\n301\n"), [str(KEY.verifier)]),
        go.open_note(raw, [str(other)]),
        go.open_note(raw, [str(renamed)]),
    )
    assert (opened.error, opened.names) == ("", [ORIGIN])
    assert opened.text == str(Checkpoint(ORIGIN, 300, edge.root))
    assert "invalid signature" in changed.error
    assert all("no verifiable signatures" in answer.error for answer in foreign)


def test_we_open_checkpoints_that_go_signs() -> None:
    """By its text form of keys, public and private, and beside another signer's line."""
    text = str(Checkpoint(ORIGIN, 300, bytes(32)))
    [signed] = go.ask(go.sign_note(text, ["other.example.org/witness", ORIGIN]))
    opened = open_checkpoint(signed.text.encode(), [VerifierKey.parse(signed.key)])
    assert (opened.size, opened.root) == (300, bytes(32))
    assert str(SignerKey.parse(signed.secret).verifier) == signed.key
