"""What `steward log verify` says of a folder and of a package, with the keys that it is given, and how it ends."""

import asyncio
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.cli.log import log
from services.compliance.export.evidence import Claim
from shared.errors import StewardError
from tests.unit.compliance.export.sealed_log import KEY as PACKAGE_KEY
from tests.unit.compliance.export.sealed_log import WITNESS as PACKAGE_WITNESS
from tests.unit.compliance.export.sealed_log import SealedLog, minute
from tests.unit.compliance.verify.grown import KEY, OTHER, WITNESS, Grown, files_of, grown

LOG: Grown = grown(20)


def told(*arguments: object) -> Result:
    """What the command says."""
    return CliRunner().invoke(log, ["verify", *map(str, arguments)])


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """A log in a folder."""
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound log."""
    return write(tmp_path / "log", files_of(LOG.entries))


def test_a_sound_log_is_told_with_its_size_and_root(folder: Path) -> None:
    """And nothing is said to be unchecked, when the keys of the log and of a witness are given."""
    found = told("--directory", folder, "--key", KEY.verifier, "--witness", WITNESS.verifier)
    size, root = LOG.state.size, LOG.state.edge.root.hex()
    assert (found.exit_code, found.stdout) == (0, f"verified: {size} entries of 4 sites, 1 checkpoints, root {root}\n")
    assert "note:" not in found.stderr


def test_keys_may_be_files(folder: Path, tmp_path: Path) -> None:
    """As they are handed over."""
    key = tmp_path / "log.pub"
    key.write_text(f"{KEY.verifier}\n")
    assert told("--directory", folder, "--key", key).exit_code == 0


def test_without_a_key_the_answer_says_that_no_signature_was_checked(folder: Path) -> None:
    """It is verified that the log agrees with itself, and no more."""
    found = told("--directory", folder)
    assert found.exit_code == 0
    assert "note: no key was given: no signature was checked" in found.stderr


def test_the_first_fault_is_told_and_ends_with_1(folder: Path) -> None:
    """By entry and kind."""
    (folder / "tile/0/001").write_bytes(b"")
    found = told("--directory", folder, "--key", KEY.verifier)
    assert found.exit_code == 1
    assert found.stdout.startswith("NOT VERIFIED: entries 256 to 511: tile-empty: ")


def test_a_log_signed_by_another_key_is_not_verified(folder: Path) -> None:
    """Whatever name the key has."""
    found = told("--directory", folder, "--key", OTHER.verifier)
    assert found.exit_code == 1
    assert ": signature: " in found.stdout


def test_what_was_verified_is_kept_and_gone_on_from(folder: Path, tmp_path: Path) -> None:
    """A log that then continues another history is found."""
    state = tmp_path / "verified.json"
    arguments = ("--directory", folder, "--key", KEY.verifier, "--since", state)
    assert told(*arguments).exit_code == 0
    kept = state.read_bytes()
    assert "that were verified before were not read again" in told(*arguments).stderr
    write(folder, files_of(LOG.entries[: LOG.manifests[1]]))
    found = told(*arguments)
    assert found.exit_code == 1
    assert ": consistency: " in found.stdout
    assert state.read_bytes() == kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--directory", "nowhere"), "nowhere is not a folder"),
        (("--directory", "x", "--database", "y"), "one log at a time"),
        (("--directory", "x", "--key", "no key"), "must be name"),
        (("--directory", "x", "--witness", str(WITNESS.verifier)), "--witness needs --key"),
        (("--evidence", "nowhere.zip", "--key", str(KEY.verifier)), "nowhere.zip can't be read"),
        (("--evidence", "nowhere.zip"), "--evidence needs --key"),
    ],
)
def test_what_can_not_be_read_is_no_verdict(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command then ends with 2, as it does with all errors that are Steward's own."""
    monkeypatch.chdir(tmp_path)
    found = told(*arguments)
    assert isinstance(found.exception, StewardError)
    assert words in str(found.exception)


def test_a_package_is_told_with_its_site_and_period(tmp_path: Path) -> None:
    """And one that was changed is not verified."""
    sealed = SealedLog()
    for number in range(20):
        sealed.append("north" if number % 2 else "south", minute(number))
    sealed.seal(minute(20))
    path = tmp_path / "evidence.zip"
    raw = asyncio.run(sealed.package(Claim("north", minute(3), minute(12))))
    path.write_bytes(raw)
    found = told("--evidence", path, "--key", PACKAGE_KEY.verifier)
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("verified: 5 entries of north, recorded from ")
    path.write_bytes(raw[:-30])
    assert told("--evidence", path, "--key", PACKAGE_KEY.verifier).exit_code == 1


def test_a_package_that_was_signed_before_its_period_was_over_says_what_is_not_in_it(tmp_path: Path) -> None:
    """The verdict is of what was signed, so who hands over an old checkpoint can't pass it off as the whole period."""
    sealed = SealedLog()
    sealed.append("north", minute(1))
    sealed.seal(minute(20))
    path = tmp_path / "evidence.zip"
    for until, is_over in ((20, True), (21, False)):
        path.write_bytes(asyncio.run(sealed.package(Claim("north", minute(0), minute(until)))))
        found = told("--evidence", path, "--key", PACKAGE_KEY.verifier, "--witness", PACKAGE_WITNESS.verifier)
        assert found.exit_code == 0, found.output
        assert ("2026-01-01T00:20:00+00:00 on is not in it" not in found.stderr) is is_over


def test_a_package_without_a_witness_says_so(tmp_path: Path) -> None:
    """As a whole log does."""
    sealed = SealedLog()
    sealed.append("north", minute(1))
    sealed.seal(minute(20))
    path = tmp_path / "evidence.zip"
    path.write_bytes(asyncio.run(sealed.package(Claim("north", minute(0), minute(20)))))
    assert "no witness was asked for" in told("--evidence", path, "--key", PACKAGE_KEY.verifier).stderr


async def test_the_command_verifies_in_several_processes_and_ends(tmp_path: Path) -> None:
    """As it is called from a shell, over more entries than one process takes at a time."""
    entries = [b"%d" % number for number in range(40_000)]
    folder = write(tmp_path / "log", files_of(entries))
    command = (sys.executable, "-m", "services", "log", "verify", "--hashes-only", "--workers", "2")
    process = await asyncio.create_subprocess_exec(
        *command, "--directory", folder, "--key", str(KEY.verifier), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert said.startswith(b"verified: 40000 entries")
