"""`steward log mirror` keeps a copy of the whole log that needs Steward no more."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.__main__ import main
from services.compliance.log.directory import TileDirectory
from services.compliance.log.tiles import bundles_of
from shared.bus.postgres import PostgresBus
from tests.integration.compliance.log.live import KEY, LiveLog, live_log
from tests.integration.conftest import Run


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs."""
    async with live_log(run, bus, database, tmp_path) as log:
        yield log


@pytest.fixture(autouse=True)
def _known(log: LiveLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command knows where the log runs, and has the token of an auditor."""
    monkeypatch.setenv("STEWARD_URL", log.url.partition("/compliance")[0])
    monkeypatch.setenv("STEWARD_TOKEN", log.token)


async def steward(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """What the command ends with."""
    monkeypatch.setattr(sys, "argv", ["steward", *arguments])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    return ended.value.code


async def test_a_copy_grows_with_the_log_and_verifies_without_it(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Over the ends of chunks, bundles and partitions, each time what is new; entry by entry what the log serves."""
    folder = tmp_path / "mirror"
    for count in (3, 60, 300, 400):
        newest = await log.grow(count)
        assert await steward(monkeypatch, "log", "mirror", str(folder)) == 0
        assert f"{newest.size} entries" in capsys.readouterr().out
    copy = TileDirectory(folder)
    for bundle in bundles_of(newest.size):
        assert copy.entries(bundle) == await log.entries(bundle)
    assert await steward(monkeypatch, "log", "verify", "--directory", str(folder), "--key", str(KEY.verifier)) == 0
    assert f"verified: {newest.size} entries" in capsys.readouterr().out


async def test_a_log_that_does_not_continue_the_copy_is_refused(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One byte of the copy is another, as if the log had been rewritten since; the copy stays as it is."""
    folder = tmp_path / "mirror"
    await log.grow(10)
    assert await steward(monkeypatch, "log", "mirror", str(folder)) == 0
    tile = next(path for path in (folder / "tile" / "0").rglob("*") if path.is_file())
    body = tile.read_bytes()
    before = shutil.copytree(folder, tmp_path / "before")
    tile.write_bytes(bytes([body[0] ^ 1]) + body[1:])
    await log.grow(5)
    assert await steward(monkeypatch, "log", "mirror", str(folder)) != 0
    assert "stays as it was" in capsys.readouterr().err
    assert (folder / "checkpoint").read_bytes() == (before / "checkpoint").read_bytes()


async def test_an_auditor_of_one_site_can_not_copy_all(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Bundles hold the entries of every site."""
    await log.grow(3)
    monkeypatch.setenv("STEWARD_TOKEN", log.steward.issuer.token("eve", ("auditor:north",)))
    assert await steward(monkeypatch, "log", "mirror", str(tmp_path / "mirror")) != 0
    assert not (tmp_path / "mirror" / "checkpoint").exists()
