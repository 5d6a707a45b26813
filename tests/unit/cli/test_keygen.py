"""`steward log keygen` and `steward witness keygen` make keys that the settings take."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from services.__main__ import steward
from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.note import SignerKey, VerifierKey


@pytest.mark.parametrize(("group", "kind"), [("log", VerifierKey), ("witness", CosignatureKey)])
def test_public_key_is_printed_and_private_one_is_not(tmp_path: Path, group: str, kind: type[VerifierKey]) -> None:
    file = tmp_path / "key"
    told = CliRunner().invoke(steward, [group, "keygen", "north.example/thing", "--file", str(file)])
    assert told.exit_code == 0
    secret = SignerKey.parse(file.read_text().strip(), kind)
    assert kind.parse(told.output.strip()) == secret.verifier
    assert file.stat().st_mode & 0o777 == 0o600


def test_key_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("precious")
    told = CliRunner().invoke(steward, ["log", "keygen", "north.example/log", "--file", str(tmp_path / "key")])
    assert told.exit_code != 0
    assert (tmp_path / "key").read_text() == "precious"


def test_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    told = CliRunner().invoke(steward, ["log", "keygen", "a.example/log", "--file", str(tmp_path / "none" / "key")])
    assert told.exit_code == 1
    assert "can't be written" in told.output


def test_settings_of_a_witness_are_printed() -> None:
    told = CliRunner().invoke(steward, ["settings", "witness"])
    assert "STEWARD_WITNESS_STATE=/var/lib/steward-witness" in told.output
