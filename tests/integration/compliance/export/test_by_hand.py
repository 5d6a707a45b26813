"""The program in the guide for auditors checks what a search answers, with nothing of Steward."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.bus.postgres import PostgresBus
from tests.integration.compliance.log.live import LiveLog, live_log
from tests.integration.conftest import Run

GUIDE = Path(__file__).parents[4] / "docs/guides/auditor.md"


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


def check(answer: str) -> subprocess.CompletedProcess[str]:
    """What the guide's program says of an answer."""
    program = GUIDE.read_text().partition("```python\n")[2].partition("```")[0]
    return subprocess.run([sys.executable, "-c", program], input=answer, capture_output=True, text=True, check=False)


async def test_a_page_is_checked_by_hand_as_the_guide_says(log: LiveLog) -> None:
    """Each entry of it; a character that was changed is found, and so is another root."""
    checkpoint = await log.grow(300)
    answer = await log.auditor.get(
        "/compliance/v1/events", params={"type": "site.changed", "limit": 50, "proofs": True}
    )
    done = check(answer.text)
    assert (done.returncode, done.stdout.count(" is in the log\n")) == (0, 50), done.stderr
    assert "AssertionError" in check(answer.text.replace('"siteid":"north"', '"siteid":"nord"', 1)).stderr
    assert "AssertionError" in check(answer.text.replace(f"\\n{checkpoint.size}\\n", "\\n9999\\n")).stderr


async def test_an_event_and_a_flow_are_checked_by_hand_too(log: LiveLog) -> None:
    """The same program reads what a single event and the tree of a flow come with."""
    checkpoint = await log.grow(20)
    for path, count in (("events/3", 1), ("flows/flow-alice", 20)):
        answer = await log.auditor.get(f"/compliance/v1/{path}", params={"proofs": True})
        done = check(answer.text)
        assert (done.returncode, done.stdout.count(" is in the log\n")) == (0, count), done.stderr
        assert "AssertionError" in check(answer.text.replace('"siteid":"', '"siteid":"x', 1)).stderr
        assert "AssertionError" in check(answer.text.replace(f"\\n{checkpoint.size}\\n", "\\n9999\\n")).stderr
