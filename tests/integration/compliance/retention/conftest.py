"""An old log and an archive for it."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from shared.bus.postgres import PostgresBus
from tests.harness import Harness
from tests.integration.compliance.retention.old_log import Aged, aged_log
from tests.integration.conftest import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an archive."""
    made = tmp_path / "archive"
    made.mkdir()
    return made


@pytest.fixture
def aged(run: Run, bus: PostgresBus, database: str, tmp_path: Path, folder: Path) -> Aged:
    """Starts the old log."""

    def start(archive: str | None = f"file://{folder}") -> AbstractAsyncContextManager[Harness]:
        return aged_log(run, bus, database, tmp_path, archive)

    return start
