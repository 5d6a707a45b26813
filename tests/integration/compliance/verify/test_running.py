"""The log of a running service verifies over REST and in its database, while it grows; the command says so in words."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.log import log as command
from services.compliance.checkpoints.note import SignerKey
from services.compliance.verify.database import DatabaseSource
from services.compliance.verify.domain import Report, Source
from services.compliance.verify.handlers import Verification, verify
from services.compliance.verify.rest import RestSource
from services.compliance.verify.seals import Trust
from shared.bus.postgres import PostgresBus
from shared.errors import Unavailable
from tests.conftest import execute
from tests.integration.compliance.log.live import KEY, live_log
from tests.integration.conftest import Run

TRUST = Trust((KEY.verifier,))
OTHER = SignerKey.from_seed(KEY.verifier.name, b"another-" * 4)


async def verified(source: Source) -> Report:
    """What a verification finds that must find nothing wrong."""
    report, _ = await asyncio.to_thread(verify, Verification(source, TRUST, step=256))
    assert report.fault is None, str(report.fault)
    return report


async def told(*arguments: str) -> Result:
    """What `steward log verify` says and ends with."""
    return await asyncio.to_thread(CliRunner().invoke, command, ["verify", *arguments])


async def test_a_running_log_verifies_over_rest_and_in_its_database(
    run: Run, bus: PostgresBus, database: str, tmp_path: Path
) -> None:
    """At each checkpoint; over REST up to the checkpoint, in the database up to the head."""
    async with live_log(run, bus, database, tmp_path) as live:
        for count in (1, 255, 400):
            checkpoint = await live.grow(count)
            served = await verified(RestSource(live.url, live.token))
            assert served.size >= checkpoint.size
            stored = await verified(DatabaseSource(database))
            assert stored.size >= served.size
            assert stored.checkpoints >= served.checkpoints == 1


async def test_a_log_verifies_while_it_grows(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> None:
    """Whatever the writer does meanwhile, every verification sees one moment."""
    async with live_log(run, bus, database, tmp_path) as live:
        await live.grow(10)
        async with asyncio.TaskGroup() as group:
            growing = group.create_task(live.grow(1500))
            while not growing.done():
                await verified(RestSource(live.url, live.token))
                await verified(DatabaseSource(database))


async def test_the_command_tells_the_verdict_and_ends_with_its_code(
    run: Run, bus: PostgresBus, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 and what was verified; 1 and the first thing that is wrong; 2 when it could not be read."""
    async with live_log(run, bus, database, tmp_path) as live:
        await live.grow(300)
        monkeypatch.setenv("STEWARD_URL", live.url.removesuffix("/compliance/v1/log/"))
        monkeypatch.setenv("STEWARD_TOKEN", live.token)
        key = tmp_path / "log.pub"
        key.write_text(f"{KEY.verifier}\n")
        sound = await told("--key", str(key))
        assert sound.exit_code == 0, sound.output
        assert "verified: 3" in sound.output
        state = tmp_path / "verified.json"
        for begin in ("0", "256"):
            kept = await told("--database", database, "--key", str(KEY.verifier), "--since", str(state))
            assert kept.exit_code == 0, kept.output
            assert (f"the {begin} entries that were verified" in kept.output) == (begin != "0")
        assert json.loads(state.read_bytes())["origin"] == KEY.verifier.name
        unsigned = await told("--key", str(OTHER.verifier))
        assert unsigned.exit_code == 1
        assert "NOT VERIFIED: " in unsigned.output
        assert ": signature: " in unsigned.output
        await execute(database, "UPDATE compliance.events SET actor = 7 WHERE index = 258")
        wrong = await told("--database", database)
        assert (wrong.exit_code, "NOT VERIFIED: entry 258: index: actor is 7" in wrong.output) == (1, True)
        monkeypatch.setenv("STEWARD_TOKEN", "nobody's")
        refused = await told()
        assert isinstance(refused.exception, Unavailable)
        assert "401" in str(refused.exception)


async def test_an_auditor_of_one_site_is_told_what_the_verification_takes(
    run: Run, bus: PostgresBus, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That he may not read every site's entries is no verdict on the log."""
    async with live_log(run, bus, database, tmp_path) as live:
        await live.grow(300)
        monkeypatch.setenv("STEWARD_URL", live.url.removesuffix("/compliance/v1/log/"))
        monkeypatch.setenv("STEWARD_TOKEN", live.steward.issuer.token("ned", ("auditor:north",)))
        for workers in ("1", "2"):
            refused = await told("--key", str(KEY.verifier), "--workers", workers)
            assert isinstance(refused.exception, Unavailable), refused.output
            assert "NOT VERIFIED" not in refused.output
            for words in ("tile/entries/", "403 bundles hold", "auditor:*", "steward log export evidence"):
                assert words in str(refused.exception)
