"""Two hospitals on all services that own data."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.access.group import Group, two_hospitals
from tests.integration.backup.machine import Machine
from tests.integration.conftest import Run
from tests.parts.smtp import SmtpServer


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A backup machine that is this test's alone."""
    return Machine.at(tmp_path / "machine")


@pytest.fixture
async def group(run: Run, machine: Machine, mail_server: SmtpServer) -> AsyncIterator[Group]:
    """The running services with both hospitals in them."""
    async with two_hospitals(run, machine, mail_server) as group:
        yield group
