"""A verification goes on where the last one ended, and finds a log that does not continue what was verified."""

from pathlib import Path

import msgspec
import pytest

from services.compliance.verify.domain import Report
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.state import State, read_state, write_state
from shared.errors import WrongSetting
from tests.unit.compliance.verify.grown import TRUST, Memory, files_of, grown, signed

LOG = grown(18)
ENTRIES = LOG.entries


class Watched(Memory):
    """Parts that remember which of them were read."""

    def read(self, name: str) -> bytes | None:
        """One part."""
        self.unchecked = [*self.unchecked, name]
        return super().read(name)


def verified(size: int, since: State | None = None) -> tuple[Report, State]:
    """A sound log of the first ``size`` entries, verified."""
    report, state = verify(Verification(Memory(files_of(ENTRIES[:size])), TRUST, since=since, step=256))
    assert report.fault is None, str(report.fault)
    assert state is not None
    return report, state


def test_each_step_reads_only_what_came_after_and_ends_as_a_full_verification() -> None:
    """Whatever the sizes are at which it was verified before."""
    state = None
    for size in LOG.manifests:
        report, state = verified(size, state)
        full, anew = verified(size)
        assert (report.size, report.root, report.sites) == (full.size, full.root, full.sites)
        assert state == anew


def test_what_was_verified_before_is_not_read_again() -> None:
    """Only the bundle in which the last verification ended is."""
    before = next(size for size in LOG.manifests if size > 512)
    _, state = verified(before)
    source = Watched(files_of(ENTRIES))
    report, _ = verify(Verification(source, TRUST, since=state))
    assert report.fault is None, str(report.fault)
    assert report.began == 512
    assert not {"tile/entries/000", "tile/entries/001", "tile/0/000", "tile/0/001"} & set(source.unchecked)
    assert any("512 entries that were verified before" in line for line in report.unchecked)


def test_nothing_new_is_verified_too() -> None:
    """The same checkpoint again, also where it ends a bundle."""
    for size in (512, len(ENTRIES)):
        entries = ENTRIES[:size]
        files = files_of(entries)
        _, state = verify(Verification(Memory(files), TRUST, ours=False))
        report, again = verify(Verification(Memory(files), TRUST, ours=False, since=state))
        assert report.fault is None, str(report.fault)
        assert again == state


@pytest.mark.parametrize(("place", "kind"), [(0, "root"), (300, "root"), (520, "consistency")])
def test_another_history_behind_a_right_signature_is_found(place: int, kind: str) -> None:
    """The owner of the key rewrites an entry and signs: this log does not continue what was verified before."""
    before = next(size for size in LOG.manifests if size > 530)
    _, state = verified(before)
    entries = [*ENTRIES[:place], ENTRIES[place].replace(b"urn:steward", b"urn:stewarD"), *ENTRIES[place + 1 :]]
    assert entries != ENTRIES
    fault = verify(Verification(Memory(files_of(entries)), TRUST, since=state))[0].fault
    assert fault is not None
    assert fault.kind == kind, str(fault)


def test_a_log_that_shrank_is_found() -> None:
    """A signed checkpoint of a smaller log than was verified before, as after a restored backup."""
    _, state = verified(len(ENTRIES))
    smaller = LOG.manifests[-2]
    fault = verify(Verification(Memory(files_of(ENTRIES[:smaller])), TRUST, since=state))[0].fault
    assert fault is not None
    assert (fault.kind, fault.first, fault.end) == ("consistency", smaller, len(ENTRIES))


def test_the_same_size_with_another_root_is_found() -> None:
    """Two checkpoints of one size can't both be true, and no entry needs to be read to see it."""
    files = files_of(ENTRIES[:512])
    _, state = verify(Verification(Memory(files), TRUST, ours=False))
    fault = verify(Verification(Memory({"checkpoint": signed(512, bytes(32))}), TRUST, ours=False, since=state))[
        0
    ].fault
    assert fault is not None
    assert (fault.kind, fault.first) == ("root", 511)


def test_the_state_of_another_log_is_refused() -> None:
    """What was verified of one log says nothing of another."""
    _, state = verified(len(ENTRIES))
    other = msgspec.structs.replace(state, origin="another.example-hospitals.org/log")
    fault = verify(Verification(Memory(files_of(ENTRIES)), TRUST, since=other))[0].fault
    assert fault is not None
    assert fault.kind == "checkpoint"


def test_a_fault_keeps_no_state() -> None:
    """The next verification begins where the last sound one ended."""
    files = files_of(ENTRIES) | {"tile/0/001": b""}
    assert verify(Verification(Memory(files), TRUST))[1] is None


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    """And what is no state is told to be none."""
    file = tmp_path / "verified.json"
    assert read_state(file) is None
    _, state = verified(len(ENTRIES))
    write_state(file, state)
    assert read_state(file) == state
    for damaged in (b"", b"{}", file.read_bytes().replace(b'"size":', b'"size":1')):
        file.write_bytes(damaged)
        with pytest.raises(WrongSetting, match="without it, all is read anew"):
            read_state(file)
