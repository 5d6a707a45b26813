"""`steward get` asks what the REST API can be asked."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.__main__ import main
from shared.bus.postgres import PostgresBus
from tests.integration.compliance.log.live import LiveLog, live_log
from tests.integration.conftest import Run


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


async def get(monkeypatch: pytest.MonkeyPatch, log: LiveLog, *arguments: str) -> None:
    """Runs the command as an auditor; it must succeed."""
    monkeypatch.setenv("STEWARD_URL", log.url.partition("/compliance")[0])
    monkeypatch.setenv("STEWARD_TOKEN", log.token)
    monkeypatch.setattr(sys, "argv", ["steward", "get", *arguments])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    assert ended.value.code == 0


async def test_a_parameter_may_be_given_several_times(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each counts, not the last alone."""
    await log.grow(3)
    await get(monkeypatch, log, "events", "type=site.changed", "type=log.manifest", "--print", "event.type")
    assert {"site.changed", "log.manifest"} <= set(capsys.readouterr().out.split())


async def test_one_thing_is_asked_for_with_parameters_too(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the counts of events are."""
    await log.grow(3)
    await get(
        monkeypatch, log, "events", "counts", "by=type,site", "type=site.changed", "--print", "type,site_id,count"
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["site.changed", "north", "2"] in lines
    assert ["site.changed", "south", "1"] in lines
