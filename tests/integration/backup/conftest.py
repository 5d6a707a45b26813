"""What the tests of backup share: a machine with an archive's folder, repositories and the real restic."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import execute
from tests.integration.backup.machine import CHANGED, Gate, Machine, processes_with
from tests.integration.conftest import Run

TELL_TEST = f"""
    CREATE FUNCTION backup.tell_test() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_notify('{CHANGED}', ''); RETURN NULL; END $$;
    CREATE TRIGGER tell_test AFTER INSERT OR UPDATE ON backup.systems EXECUTE FUNCTION backup.tell_test();
    CREATE TRIGGER tell_test AFTER INSERT OR UPDATE ON backup.positions EXECUTE FUNCTION backup.tell_test();
    CREATE TRIGGER tell_test AFTER INSERT OR UPDATE ON backup.runs EXECUTE FUNCTION backup.tell_test();
"""


@pytest.fixture
async def run(run: Run, database: str) -> Run:
    """Runs services, as everywhere, over a database whose tables tell a test when they change."""
    await execute(database, TELL_TEST)
    return run


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
