"""Behind pruned entries the sites' sequences go on, as the next entries and manifests say."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.compliance.verify.domain import Gap, PartitionRow, Report
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.rest import parse_pruned
from services.compliance.verify.tiled import TiledReader
from shared.errors import Unavailable
from tests.unit.compliance.verify.gaps import ALL, FULL, GAP, PLACE, SHORT, log_of
from tests.unit.compliance.verify.grown import BEGIN, TRUST, Grown, Memory, files_of


@dataclass
class Pruned(Memory):
    """A log that lists what was pruned."""

    pruned: dict[Gap, PartitionRow] = field(default_factory=dict)

    def open(self) -> TiledReader:
        """Begins to read."""
        return TiledReader(self, self, sealed=False, pruned=self.pruned)


def report_of(log: Grown, gap: Gap = GAP, *, step: int = 256) -> Report:
    """The report on a log whose first entries were pruned."""
    files = files_of(log.entries)
    for name in ("tile/entries/000", "tile/entries/001"):
        del files[name]
    source = Pruned(files, pruned={gap: PartitionRow((), BEGIN, PLACE)})
    return verify(Verification(source, TRUST, step=step))[0]


@pytest.mark.parametrize("step", [256, 4096])
@pytest.mark.parametrize(
    ("batches", "unproved"),
    [
        ([FULL, ALL], 0),
        ([SHORT, ALL], 1),
        ([SHORT, ["north"] * 9, ["north", "south"], ["rare"] * 3, ["north"]], 3),
        ([SHORT, ["north"] * 300, ["south"] * 300, ["rare"] * 300], 3),
        ([SHORT, ["north"] * 9], 3),
    ],
)
def test_sequences_go_on_behind_a_gap(step: int, batches: list[Sequence[str]], unproved: int) -> None:
    """However late a site has its first entry: what is none is not taken for a fault, and what is unchecked is told."""
    report = report_of(log_of(*batches), step=step)
    assert report.fault is None, str(report.fault)
    notes = [line for line in report.unchecked if "manifests after pruned entries" in line]
    assert [note.partition(" ")[0] for note in notes] == [str(unproved)] * bool(unproved)


def test_a_site_that_skips_numbers_behind_a_gap_is_told() -> None:
    """The manifest before knows better."""
    fault = report_of(log_of(FULL, [*ALL, *ALL], skips=2)).fault
    assert fault is not None
    assert fault.kind == "site-sequence"


def test_what_can_not_have_been_pruned_yet_is_told() -> None:
    """Else a log could hide all of its entries."""
    fault = report_of(log_of(FULL, ALL), (0, 2**20)).fault
    assert fault is not None
    assert fault.kind == "partition"


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b'[{"first": 1, "end": 512, "pruned_at": "2026-01-01T00:00:00Z", "location": "x"}]',
        b'[{"first": 512, "end": 512, "pruned_at": "2026-01-01T00:00:00Z", "location": "x"}]',
        b'[{"first": -256, "end": 512, "pruned_at": "2026-01-01T00:00:00Z", "location": "x"}]',
    ],
)
def test_a_list_that_is_none_is_no_verdict(text: bytes) -> None:
    """The log could not be read."""
    with pytest.raises(Unavailable, match="pruned"):
        parse_pruned(text)
