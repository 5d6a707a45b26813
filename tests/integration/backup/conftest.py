"""What the tests of backup share: a machine with an archive's folder, repositories and the real restic."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.backup.machine import Gate, Machine, processes_with


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A backup machine that is this test's alone; what still runs on it at the end is killed."""
    machine = Machine.at(tmp_path / "machine")
    yield machine
    for pid in processes_with(machine.folder):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def gate(machine: Machine) -> AsyncIterator[Gate]:
    """A gate before the machine's restic."""
    with Gate(machine) as gate:
        yield gate
