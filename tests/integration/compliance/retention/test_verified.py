"""A pruned log verifies wherever it is read, and so does each archive by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from services.cli.log import log as command
from services.cli.log_mirror import log_mirror
from services.compliance.log.tiles import Bundle, Tile
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.directory import DirectorySource
from services.compliance.verify.domain import Report, Source
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.rest import RestSource
from services.compliance.verify.seals import Trust
from tests.conftest import execute
from tests.harness import Harness
from tests.integration.compliance.publishing import AUDITOR
from tests.integration.compliance.retention.old_log import KEY, URL, WIDTH, Aged, advance_all, ask, retention
from tests.integration.compliance.witness.station import serving
from tests.news import until

TRUST = Trust((KEY.verifier,))


async def verified(source: Source) -> Report:
    """What a verification finds."""
    report, _ = await asyncio.to_thread(verify, Verification(source, TRUST, step=256))
    return report


async def pruned(steward: Harness, database: str, folder: Path, *numbers: int) -> None:
    """Prunes partitions, and returns when a checkpoint covers the entries that tell of it."""
    await ask(database, *numbers)
    await advance_all(retention(steward, database, f"file://{folder}"))
    sealed = """SELECT count(*) = $1 AND max(e.index) < (SELECT max(size) FROM checkpoints)
                FROM events e JOIN types t ON t.number = e.type WHERE t.type = 'log.pruned'"""
    await until(steward.pools["compliance"], sealed, len(numbers), sites="*")


@pytest.mark.parametrize("numbers", [(0,), (1,), (0, 1)])
async def test_a_pruned_log_verifies_in_its_database_over_rest_and_in_its_archive(
    aged: Aged, database: str, folder: Path, numbers: tuple[int, ...]
) -> None:
    """Each says which entries were pruned; the archive, which of them it has."""
    async with aged() as steward:
        await pruned(steward, database, folder, *numbers)
        places = f"{numbers[0] * WIDTH} to {(numbers[-1] + 1) * WIDTH - 1}"
        async with served(steward) as source:
            for place in (source, DatabaseSource(database)):
                report = await verified(place)
                assert report.fault is None, str(report.fault)
                assert any(line.startswith(f"entries {places} were pruned") for line in report.unchecked)
        report = await verified(DirectorySource(folder))
        assert report.fault is None, str(report.fault)
        assert f"of the {report.size} entries, {places} are in this archive" in report.unchecked
        assert report.checkpoints == len(list((folder / "checkpoints").iterdir())) >= 1


async def test_a_pruned_log_is_mirrored_with_its_archive(
    aged: Aged, database: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new copy is a whole one, pruned entries too; without the archive the command says where it is."""
    async with aged() as steward:
        await pruned(steward, database, folder, 0, 1)
        async with served(steward) as source:
            monkeypatch.setenv("STEWARD_URL", source.url.partition("/compliance")[0])
            monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("audrey", AUDITOR))

            async def mirror(*options: str) -> Result:
                return await asyncio.to_thread(CliRunner().invoke, log_mirror, [str(tmp_path / "mirror"), *options])

            refused = await mirror()
            assert refused.exit_code == 1
            assert f"entry 0 was pruned; name its archive with --archive, which is at file://{folder}" in refused.output
            assert (await mirror("--archive", str(tmp_path / "nowhere"))).exit_code == 1
            done = await mirror("--archive", str(folder))
            assert done.exit_code == 0, done.output
        report = await verified(DirectorySource(tmp_path / "mirror"))
        assert report.fault is None, str(report.fault)
        assert report.size > 2 * WIDTH
        assert not any("archive" in line for line in report.unchecked)


async def test_a_log_verifies_again_after_its_entries_were_restored(aged: Aged, database: str, folder: Path) -> None:
    """With the index and the counts of what came back."""
    async with aged() as steward:
        await pruned(steward, database, folder, 0)
        assert (await steward.admin.post(f"{URL}/restore", json={"partition": 0, "days": 30})).status_code == 202
        await advance_all(retention(steward, database, f"file://{folder}", later=timedelta()))
        async with served(steward) as source:
            for place in (source, DatabaseSource(database)):
                report = await verified(place)
                assert report.fault is None, str(report.fault)
                assert not any("pruned" in line for line in report.unchecked)


async def test_a_log_that_says_otherwise_than_its_entries_what_was_pruned_does_not_verify(
    aged: Aged, database: str, folder: Path
) -> None:
    """Over REST as in the database: somebody moved the archive in the table alone, or nobody recorded the pruning."""
    async with aged() as steward:
        await pruned(steward, database, folder, 0)
        await execute(database, "UPDATE compliance.partitions SET location = 's3://elsewhere/log' WHERE number = 0")
        async with served(steward) as source:
            for place in (source, DatabaseSource(database)):
                fault = (await verified(place)).fault
                assert fault is not None
                assert (fault.kind, fault.first, fault.end) == ("partition", 0, WIDTH), str(fault)


def flip(file: Path) -> None:
    """Changes a byte in the middle."""
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(bytes(body))


async def test_whatever_is_damaged_in_an_archive_is_named(aged: Aged, database: str, folder: Path) -> None:
    """Bundles, leaf hashes, the tree above and the checkpoints: changed or taken away."""
    async with aged() as steward:
        await pruned(steward, database, folder, 0)
    newest = max(int(file.name) for file in (folder / "checkpoints").iterdir())
    edge = Tile(0, newest // 256, newest % 256).path
    above = Tile(1, 0, newest // 256).path
    for change, path, kind in (
        (flip, Bundle(0).path, "leaf-hash"),
        (Path.unlink, Bundle(1).path, "bundle-missing"),
        (flip, Bundle(1).leaves.path, "leaf-hash"),
        (Path.unlink, Bundle(1).leaves.path, "tile-missing"),
        (flip, edge, "root"),
        (Path.unlink, edge, "tile-missing"),
        (flip, above, "root"),
        (Path.unlink, above, "tile-missing"),
        (flip, f"checkpoints/{newest}", "checkpoint"),
    ):
        sound = (folder / path).read_bytes()
        change(folder / path)
        fault = (await verified(DirectorySource(folder))).fault
        assert fault is not None, path
        assert fault.kind == kind, f"{path}: {fault}"
        (folder / path).write_bytes(sound)
    assert (await verified(DirectorySource(folder))).fault is None


async def test_the_command_reads_an_archive(aged: Aged, database: str, folder: Path) -> None:
    """0 and what is there; 1 and what is wrong."""
    async with aged() as steward:
        await pruned(steward, database, folder, 0, 1)
    sound = await told("--directory", str(folder), "--key", str(KEY.verifier))
    assert (sound.exit_code, "entries, 0 to 1023 are in this archive" in sound.output) == (0, True), sound.output
    flip(folder / Bundle(3).path)
    wrong = await told("--directory", str(folder), "--key", str(KEY.verifier))
    assert (wrong.exit_code, "NOT VERIFIED: entry " in wrong.output) == (1, True), wrong.output


async def told(*arguments: str) -> Result:
    """What `steward log verify` says and ends with."""
    return await asyncio.to_thread(CliRunner().invoke, command, ["verify", *arguments])


@asynccontextmanager
async def served(steward: Harness) -> AsyncIterator[RestSource]:
    """The log over REST, as an auditor of the whole group reads it."""
    transport = steward.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    async with serving(transport.app) as url:
        yield RestSource(f"{url}/compliance/v1/log/", steward.issuer.token("audrey", AUDITOR))
