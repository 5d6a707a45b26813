"""`steward log export` leaves a whole file or none."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.__main__ import main
from shared.bus.postgres import PostgresBus
from tests.conftest import execute
from tests.integration.compliance.log.live import KEY, LiveLog, live_log
from tests.integration.conftest import Run

PERIOD = ("site_id=north", "from=2026-01-01T00:00:00Z", "to=2100-01-01T00:00:00Z")


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


@pytest.fixture
def known(log: LiveLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command knows where the log runs, and has the token of an auditor."""
    monkeypatch.setenv("STEWARD_URL", log.url.partition("/compliance")[0])
    monkeypatch.setenv("STEWARD_TOKEN", log.token)


async def steward(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """What the command ends with."""
    monkeypatch.setattr(sys, "argv", ["steward", *arguments])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    return ended.value.code


def names(folder: Path) -> list[str]:
    """The exports that lie there, finished or not."""
    return [path.name for path in folder.glob("north*")]


@pytest.mark.usefixtures("known")
async def test_what_is_exported_can_be_verified(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the command itself, with the log's key; and with another key it is refused."""
    await log.grow(30)
    package = tmp_path / "north.zip"
    assert await steward(monkeypatch, "log", "export", "evidence", str(package), *PERIOD) == 0
    assert package.stat().st_size == int(capsys.readouterr().out.split()[-2])
    verify = ("log", "verify", "--evidence", str(package), "--key")
    assert await steward(monkeypatch, *verify, str(KEY.verifier)) == 0
    assert "verified: 20 entries of north" in capsys.readouterr().out
    assert await steward(monkeypatch, *verify, "other.example/log+00000000+AAAA") == 2
    assert names(tmp_path) == ["north.zip"]


@pytest.mark.usefixtures("known")
async def test_a_refused_or_broken_export_leaves_the_file_as_it_was(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, database: str
) -> None:
    """What was there before is worth more than half of something new."""
    await log.grow(900)
    lines = tmp_path / "north.ndjson"
    assert await steward(monkeypatch, "log", "export", "ndjson", str(lines), *PERIOD) == 0
    before = lines.read_bytes()
    assert json.loads(before.splitlines()[-1])["complete"] is True
    assert await steward(monkeypatch, "log", "export", "ndjson", str(lines), "site_id=nowhere!") == 1
    assert "site_id" in capsys.readouterr().err
    await execute(database, "DELETE FROM compliance.chunks WHERE start = 576")
    assert await steward(monkeypatch, "log", "export", "ndjson", str(lines), *PERIOD) == 1
    assert "the answer broke off" in capsys.readouterr().err
    assert lines.read_bytes() == before
    assert names(tmp_path) == ["north.ndjson"]
