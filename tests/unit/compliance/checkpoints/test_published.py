"""The memory outside the database neither goes back nor sideways, and says what to do when it can't be used."""

from multiprocessing import get_context
from pathlib import Path

import pytest

from services.compliance.checkpoints.note import VerifierKey
from services.compliance.checkpoints.published import (
    HistoryRewritten,
    Published,
    PublishedMeanwhile,
    PublishedUnreadable,
)
from tests.small_log import ORIGIN, SmallLog, key_of

LOG = SmallLog()
KEYS = [LOG.keys[0].verifier]


def load(path: Path, *, may_begin: bool = False, keys: list[VerifierKey] | None = None) -> Published:
    """The memory at ``path``."""
    return Published.load(path, ORIGIN, KEYS if keys is None else keys, may_begin=may_begin)


def begun(folder: Path, size: int = 5) -> Published:
    """A memory of that many published entries."""
    known = load(folder / "published", may_begin=True)
    known.advance(LOG.note(size), [])
    return known


def test_what_was_published_is_there_after_a_restart(tmp_path: Path) -> None:
    begun(tmp_path).advance(LOG.note(8), LOG.consistency(5, 8))
    again = load(tmp_path / "published")
    assert again.last is not None
    assert (again.last.size, again.last.root) == (8, LOG.root(8))


def test_file_is_the_checkpoint_itself_and_private(tmp_path: Path) -> None:
    known = begun(tmp_path)
    assert known.path.read_bytes() == LOG.note(5)
    assert known.path.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"published", "published.lock"}


def test_shorter_history_is_refused(tmp_path: Path) -> None:
    """A database that was restored to an older state signs nothing."""
    known = begun(tmp_path)
    with pytest.raises(HistoryRewritten, match="has 4 entries, and 5 were published"):
        known.check(4, LOG.root(4), [])
    with pytest.raises(HistoryRewritten, match="restored to an older state"):
        known.advance(LOG.note(4), [])
    assert known.path.read_bytes() == LOG.note(5)


def test_other_history_of_the_same_length_is_refused(tmp_path: Path) -> None:
    known, forged = begun(tmp_path), SmallLog(forged_from=4)
    with pytest.raises(HistoryRewritten, match="are not those that were published"):
        known.check(5, forged.root(5), [])
    with pytest.raises(HistoryRewritten):
        known.advance(forged.note(5), [])


@pytest.mark.parametrize("size", [6, 8, 9, 100])
def test_longer_history_of_other_entries_is_refused(tmp_path: Path, size: int) -> None:
    """A restored database that has grown past the published size is no continuation, and can't prove one."""
    known, forged = begun(tmp_path), SmallLog(forged_from=4)
    for proof in (forged.consistency(5, size), LOG.consistency(5, size), []):
        with pytest.raises(HistoryRewritten, match="has grown since"):
            known.check(size, forged.root(size), proof)
        with pytest.raises(HistoryRewritten):
            known.advance(forged.note(size), proof)
    known.check(size, LOG.root(size), LOG.consistency(5, size))


def test_same_checkpoint_may_be_signed_anew(tmp_path: Path) -> None:
    """As when a second key joins."""
    new = key_of(ORIGIN, number=1)
    keys = [*KEYS, new.verifier]
    begun(tmp_path)
    known = load(tmp_path / "published", keys=keys)
    known.advance(LOG.note(5, *LOG.keys, new), [])
    assert load(tmp_path / "published", keys=[new.verifier]).last is not None


def test_rotation_without_overlap_names_the_setting(tmp_path: Path) -> None:
    begun(tmp_path)
    new = key_of(ORIGIN, number=1).verifier
    with pytest.raises(PublishedUnreadable, match="STEWARD_LOG_FORMER_KEYS"):
        load(tmp_path / "published", keys=[new])
    assert load(tmp_path / "published", keys=[new, *KEYS]).last is not None


def test_missing_file_may_only_be_a_beginning(tmp_path: Path) -> None:
    assert load(tmp_path / "published", may_begin=True).last is None
    with pytest.raises(PublishedUnreadable, match=r"is missing, .* published before\. Put the file back"):
        load(tmp_path / "published")


def test_missing_folder_is_a_volume_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PublishedUnreadable, match="is its volume mounted"):
        load(tmp_path / "volume" / "published", may_begin=True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (LOG.note(5)[:-20], "is no checkpoint"),
        (LOG.note(5)[:30], "is no checkpoint"),
        (b"\x00" * 200, "is no checkpoint"),
        (LOG.note(5).replace(b"\n5\n", b"\n4\n"), "was changed"),
        (LOG.note(5, key_of(ORIGIN, number=9)), "none of the trusted keys"),
        (SmallLog("elsewhere.example/log").note(5), "none of the trusted keys"),
        (SmallLog("elsewhere.example/log").note(5, *LOG.keys), "is of the log elsewhere"),
    ],
)
def test_damaged_memory_is_not_used(tmp_path: Path, content: bytes, told: str) -> None:
    """And says what to do."""
    (tmp_path / "published").write_bytes(content)
    with pytest.raises(PublishedUnreadable, match=told) as caught:
        load(tmp_path / "published", may_begin=True)
    assert "write the newest checkpoint into it" in str(caught.value)


def test_folder_in_place_of_the_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    with pytest.raises(PublishedUnreadable, match="can't be read"):
        load(tmp_path / "published", may_begin=True)


def test_file_that_vanishes_is_noticed(tmp_path: Path) -> None:
    known = begun(tmp_path)
    known.path.unlink()
    with pytest.raises(PublishedUnreadable, match="has vanished"):
        known.advance(LOG.note(8), LOG.consistency(5, 8))


def test_unsigned_or_foreign_checkpoint_is_not_published(tmp_path: Path) -> None:
    known = begun(tmp_path)
    for note in (LOG.note(8, key_of(ORIGIN, number=9)), SmallLog("elsewhere.example/log").note(8), b""):
        with pytest.raises(PublishedUnreadable, match="the checkpoint to publish"):
            known.advance(note, LOG.consistency(5, 8))


def test_second_replica_is_told_of_the_first(tmp_path: Path) -> None:
    """It proves from what was published meanwhile; an older writer that wakes up can't go back."""
    first = begun(tmp_path)
    second = load(tmp_path / "published")
    first.advance(LOG.note(9), LOG.consistency(5, 9))
    with pytest.raises(PublishedMeanwhile, match="has published 9 entries"):
        second.advance(LOG.note(7), LOG.consistency(5, 7))
    with pytest.raises(HistoryRewritten, match="has 7 entries, and 9 were published"):
        second.check(7, LOG.root(7), [])
    second.advance(LOG.note(11), LOG.consistency(9, 11))
    assert load(tmp_path / "published").last == second.last


def publish_all(path: Path, sizes: list[int]) -> None:
    """Publishes as many of the sizes as others leave to it."""
    known = load(path)
    for size in sizes:
        while known.last is not None and known.last.size < size:
            try:
                known.advance(LOG.note(size), LOG.consistency(known.last.size, size))
            except PublishedMeanwhile:
                continue


def test_replicas_that_publish_at_once_never_go_back(tmp_path: Path) -> None:
    begun(tmp_path)
    context = get_context("spawn")
    writers = [
        context.Process(target=publish_all, args=(tmp_path / "published", list(range(start, 40, 2))))
        for start in (6, 7)
    ]
    for writer in writers:
        writer.start()
    seen = [5]
    while any(writer.is_alive() for writer in writers):
        last = load(tmp_path / "published").last
        assert last is not None
        seen.append(last.size)
    for writer in writers:
        writer.join()
    assert seen == sorted(seen)
    assert [writer.exitcode for writer in writers] == [0, 0]
    last = load(tmp_path / "published").last
    assert last is not None
    assert last.size == 39
