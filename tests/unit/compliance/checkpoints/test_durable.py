"""Files are replaced whole: a process that ends at any step leaves the old one or the new one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.compliance.checkpoints.durable import Occupied, create_durably, locking, replace_durably
from services.compliance.checkpoints.published import Published
from services.compliance.witness.ledger import opened
from shared.errors import WrongSetting
from tests.small_log import ORIGIN, SmallLog

LOG = SmallLog()
KEYS = [LOG.keys[0].verifier]
STEPS = ("unlink", "open", "fdopen", "fsync", "replace")


class Crash(BaseException):
    """The process ends here."""


def crashing(patch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Lets the process end before the ``at``th step that touches the disk; gives the steps that were taken."""
    taken: list[str] = []

    def step(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **more: object) -> object:
            if len(taken) == at:
                raise Crash
            taken.append(name)
            return original(*args, **more)

        return run

    for name in STEPS:
        target = Path if name in ("unlink", "replace") else os
        patch.setattr(target, name, step(name, getattr(target, name)))
    return taken


def replaced_but_for_a_crash(path: Path, at: int) -> tuple[bool, list[str]]:
    """Whether the file could be replaced; and the steps to it."""
    with pytest.MonkeyPatch.context() as patch:
        taken = crashing(patch, at)
        try:
            replace_durably(path, b"new")
        except Crash:
            return False, taken
    return True, taken


def test_crash_at_any_step_leaves_one_of_both(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for at in range(20):
        path.write_bytes(b"old")
        is_done, taken = replaced_but_for_a_crash(path, at)
        assert path.read_bytes() == (b"new" if "replace" in taken else b"old")
        if is_done:
            break
    assert is_done
    assert taken == ["unlink", "open", "fdopen", "fsync", "replace", "open", "fsync"]


def test_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its name is before the call returns."""
    synced: list[str] = []
    fsync = os.fsync

    def telling(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", telling)
    replace_durably(tmp_path / "file", b"new")
    assert synced == [str(tmp_path / "file.new"), str(tmp_path)]


def test_memory_survives_a_crash_at_any_step(tmp_path: Path) -> None:
    """It is what was published before, or what was to be published, and the next process goes on from there."""
    path = tmp_path / "published"
    Published.load(path, ORIGIN, KEYS, may_begin=True).advance(LOG.note(5), [])
    for at in range(12):
        known = Published.load(path, ORIGIN, KEYS, may_begin=False)
        assert known.last is not None
        size = known.last.size
        with pytest.MonkeyPatch.context() as patch:
            crashing(patch, at)
            try:
                known.advance(LOG.note(size + 1), LOG.consistency(size, size + 1))
            except Crash:
                continue
    last = Published.load(path, ORIGIN, KEYS, may_begin=False).last
    assert last is not None
    assert last.size > 5


def test_nothing_is_written_over(tmp_path: Path) -> None:
    create_durably(tmp_path / "file", b"old")
    with pytest.raises(FileExistsError):
        create_durably(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_lock_is_one_holders(tmp_path: Path) -> None:
    with locking(tmp_path / "lock", wait=False), pytest.raises(Occupied), locking(tmp_path / "lock", wait=False):
        pass
    with locking(tmp_path / "lock", wait=False):
        pass


def test_folder_that_can_not_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(WrongSetting, match="STEWARD_WITNESS_STATE"), opened(tmp_path / "state"):
        pass
