"""`steward log prove` hands out an entry with its proof, and `steward log check-proof` believes nothing else."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.__main__ import main
from services.cli.log_proof import log_check_proof
from services.compliance.checkpoints.cosignature import CosignatureKey, cosign
from services.compliance.checkpoints.proof_file import parse_proof_file_unverified, verify_proof_file
from services.compliance.checkpoints.store import insert_cosignature
from services.compliance.log.entry import parse_entry
from services.compliance.log.tiles import Bundle
from services.compliance.log.tree import leaf_hash
from shared.bus.postgres import PostgresBus
from tests.integration.compliance.log.live import KEY, LiveLog, live_log
from tests.integration.conftest import Run
from tests.parts import go
from tests.small_log import key_of

WITNESS = key_of("north.example/witness", CosignatureKey)
URL = "/compliance/v1/log/proof/file"
ENTRY = 5


@pytest.fixture
async def log(run: Run, bus: PostgresBus, database: str, tmp_path: Path) -> AsyncIterator[LiveLog]:
    """A log that runs, of more than a bundle; a witness has cosigned a checkpoint that is not the newest any more."""
    async with live_log(run, bus, database, tmp_path) as log:
        text = (await log.grow(300)).note.text
        async with log.steward.pools["compliance"].acquire() as conn:
            size = int(text.split("\n")[1])
            await insert_cosignature(conn, size, WITNESS.verifier.name, str(cosign(WITNESS, text, 1_800_000_000)))
        await log.grow(3)
        yield log


async def prove(monkeypatch: pytest.MonkeyPatch, log: LiveLog, folder: Path) -> tuple[Path, Path]:
    """The files of the proof and of the entry, as the command writes them."""
    monkeypatch.setenv("STEWARD_URL", log.url.partition("/compliance")[0])
    monkeypatch.setenv("STEWARD_TOKEN", log.token)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["steward", "log", "prove", str(ENTRY)])
    with pytest.raises(SystemExit) as ended:
        await asyncio.to_thread(main)
    assert ended.value.code == 0
    return folder / f"{ENTRY}.tlog-proof", folder / f"{ENTRY}.entry"


def check(proof: Path, entry: Path, *more: object) -> Result:
    """What the check says."""
    return CliRunner().invoke(log_check_proof, [str(proof), "--entry", str(entry), *map(str, more)])


async def test_what_is_handed_out_is_checked_by_the_key_alone(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The entry is the log's own bytes; a witness can be asked for, since its checkpoint is preferred."""
    proof, entry = await prove(monkeypatch, log, tmp_path)
    assert entry.read_bytes() == (await log.entries(Bundle(0)))[ENTRY]
    found = check(proof, entry, "--key", KEY.verifier, "--witness", WITNESS.verifier)
    assert (found.exit_code, found.output.startswith(f"verified: it is entry {ENTRY} of the log ")) == (0, True)
    other = key_of("other.example/log").verifier
    assert check(proof, entry, "--key", other).exit_code == 1
    stranger = key_of("south.example/witness", CosignatureKey).verifier
    assert check(proof, entry, "--key", KEY.verifier, "--witness", stranger).exit_code == 1
    assert check(proof, proof, "--key", KEY.verifier).exit_code == 1
    for wrong in (check(proof, entry), check(proof, tmp_path / "nothing", "--key", KEY.verifier)):
        assert (wrong.exit_code, wrong.output) == (1, "")
        assert wrong.exception is not None


async def test_no_file_with_a_bit_flipped_passes(log: LiveLog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever it is: in the header, the index, the hashes, the checkpoint, a signature, or the entry."""
    proof, entry = await prove(monkeypatch, log, tmp_path)
    trusted = ("--key", KEY.verifier, "--witness", WITNESS.verifier)
    for path in (proof, entry):
        sound = path.read_bytes()
        for at in range(0, len(sound)):
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
            found = check(proof, entry, *trusted)
            assert (found.exit_code, found.output[:13]) == (1, "NOT VERIFIED:"), (path.name, at)
        path.write_bytes(sound)
    assert check(proof, entry, *trusted).exit_code == 0


async def test_go_accepts_the_parts(log: LiveLog) -> None:
    """The checkpoint as a note of the log's key, and the hashes as a proof of the entry's leaf."""
    answer = await log.get(f"proof/file/{ENTRY}")
    file = parse_proof_file_unverified(answer.content)
    raw = (await log.entries(Bundle(0)))[ENTRY]
    signed = verify_proof_file(answer.content, leaf_hash(raw), [KEY.verifier])
    opened, included = go.ask(
        go.open_note(file.note, [str(KEY.verifier)]),
        go.check_inclusion(file.index, signed.size, leaf_hash(raw), file.proof, signed.root),
    )
    assert (opened.error, opened.text, included.error) == ("", signed.note.text, "")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{ENTRY}.tlog-proof"'


async def test_a_site_s_auditor_gets_the_proofs_of_its_entries(log: LiveLog) -> None:
    """Of another site's, and of entries that no checkpoint reaches, there are none; each question is an entry."""
    first = (await log.entries(Bundle(0)))[:10]
    sites = [parse_entry(raw).site_id for raw in first]
    north, south = sites.index("north"), sites.index("south")
    auditor = log.steward.as_("nora", "auditor:north")
    statuses = [(await auditor.get(f"{URL}/{index}")).status_code for index in (north, south, 10**6)]
    assert statuses == [200, 404, 404]
    assert (await log.auditor.get(f"{URL}/{10**6}")).status_code == 404
    assert (await log.steward.as_("vera", "viewer:*").get(f"{URL}/{north}")).status_code == 403
    asked = await log.steward.heard.until(
        "log.accessed", lambda event: event.data.parameters == {"index": [str(south)]}
    )
    assert (asked.actor, asked.data.what) == ("nora", "proof")
