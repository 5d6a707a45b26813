"""Keys come from secrets and commands; what is wrong with them is told without showing them."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from services.compliance.checkpoints.checkpoint import open_checkpoint
from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.keys import (
    CommandSigner,
    KeyExists,
    Keyring,
    LocalSigner,
    SigningFailed,
    generate_key_file,
    open_keyring,
)
from services.compliance.checkpoints.note import NotAKey, SignerKey
from services.compliance.checkpoints.witnesses import Witness
from services.compliance.settings import ComplianceSettings
from shared.errors import WrongSetting
from shared.settings import load
from tests.small_log import ORIGIN, SmallLog, key_of

OLD, NEW = key_of(ORIGIN), key_of(ORIGIN, number=1)
LOG = SmallLog()
NEEDED = {"STEWARD_OIDC_JWKS": "keys.json", "STEWARD_DATABASE": "postgresql://steward_compliance:secret@db/steward"}


def test_generated_key_is_private_and_signs(tmp_path: Path) -> None:
    public = generate_key_file(tmp_path / "key", ORIGIN)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert SignerKey.parse((tmp_path / "key").read_text().strip()).verifier == public


def test_key_is_never_written_over(tmp_path: Path) -> None:
    generate_key_file(tmp_path / "key", ORIGIN)
    before = (tmp_path / "key").read_text()
    with pytest.raises(KeyExists, match="never written over"):
        generate_key_file(tmp_path / "key", ORIGIN)
    assert (tmp_path / "key").read_text() == before


def test_key_of_no_name_is_not_made(tmp_path: Path) -> None:
    for name in ("", "a b", "a+b", "x" * 256):
        with pytest.raises(NotAKey):
            generate_key_file(tmp_path / "key", name)
    assert not list(tmp_path.iterdir())


async def test_all_present_keys_sign(tmp_path: Path) -> None:
    """So that who trusts only the old key and who trusts only the new one can both read on."""
    ring = open_keyring(f"{OLD.reveal()}\n{NEW.reveal()}", "", "")
    note = await ring.sign(str(LOG.checkpoint(7)))
    for key in (OLD, NEW):
        assert open_checkpoint(note, [key.verifier]).size == 7
    assert ring.origin == ORIGIN


def test_former_keys_verify_and_sign_no_more() -> None:
    ring = open_keyring(NEW.reveal(), "", str(OLD.verifier))
    assert [signer.key for signer in ring.signers] == [NEW.verifier]
    assert ring.keys == (NEW.verifier, OLD.verifier)


@pytest.mark.parametrize(
    ("secret", "commands", "former", "told"),
    [
        ("", "", "", "STEWARD_LOG_KEY: is required"),
        ("nonsense", "", "", "STEWARD_LOG_KEY: a private key must be"),
        (OLD.reveal()[:-4], "", "", "STEWARD_LOG_KEY: the key of"),
        (key_of("w", CosignatureKey).reveal(), "", "", "needed is a log's key"),
        (f"{OLD.reveal()} {key_of('other.example/log').reveal()}", "", "", "all keys of a log have its name"),
        (f"{OLD.reveal()} {OLD.reveal()}", "", "", "named twice"),
        (OLD.reveal(), "", str(OLD.verifier), "named twice"),
        (OLD.reveal(), "", "nonsense", "STEWARD_LOG_FORMER_KEYS"),
        ("", f"{OLD.verifier}", "", "the command is missing"),
        ("", f"{OLD.verifier} /nowhere/kms", "", "is no program"),
        ("", "nonsense /bin/true", "", "STEWARD_LOG_KEY_COMMANDS"),
        ("", f"{OLD.verifier} 'open", "", "No closing quotation"),
    ],
)
def test_wrong_settings_are_named_and_secrets_not_shown(secret: str, commands: str, former: str, told: str) -> None:
    with pytest.raises(WrongSetting, match=told) as caught:
        open_keyring(secret, commands, former)
    assert OLD.reveal().rpartition("+")[2][:20] not in str(caught.value)


def test_settings_read_the_key_from_a_file(tmp_path: Path) -> None:
    generate_key_file(tmp_path / "key", ORIGIN)
    more = {"STEWARD_LOG_KEY_FILE": str(tmp_path / "key"), "STEWARD_LOG_PUBLISHED": str(tmp_path / "published")}
    ring = load(ComplianceSettings, NEEDED | more).keyring()
    assert ring is not None
    assert ring.origin == ORIGIN


def test_settings_do_not_show_the_key() -> None:
    settings = load(ComplianceSettings, NEEDED | {"STEWARD_LOG_KEY": OLD.reveal(), "STEWARD_LOG_PUBLISHED": "/p"})
    assert OLD.reveal() not in repr(settings)


def test_signed_log_needs_its_memory() -> None:
    with pytest.raises(WrongSetting, match="STEWARD_LOG_PUBLISHED: is required"):
        load(ComplianceSettings, NEEDED | {"STEWARD_LOG_KEY": OLD.reveal()}).keyring()
    with pytest.raises(WrongSetting, match="must be an absolute path"):
        load(ComplianceSettings, NEEDED | {"STEWARD_LOG_PUBLISHED": "published"})
    assert load(ComplianceSettings, NEEDED).keyring() is None


def test_settings_name_the_witnesses() -> None:
    key = key_of("north.example/witness", CosignatureKey).verifier
    text = f"{key} https://north.example/\n"
    [witness] = load(ComplianceSettings, NEEDED | {"STEWARD_LOG_WITNESSES": text}).witnesses()
    assert (witness.key, witness.url) == (key, "https://north.example")
    for wrong, told in (
        (str(key), "has no partner"),
        (f"{key} north.example", "must begin with http"),
        (f"{OLD.verifier} https://north.example", "needed is a witness's key"),
        (text + text, "named twice"),
    ):
        with pytest.raises(WrongSetting, match=f"STEWARD_LOG_WITNESSES: .*{told}"):
            Witness.parse_all(wrong)


def signer(script: str) -> CommandSigner:
    """A key whose command is a Python script; ``sign`` in it makes the right signature."""
    start = (
        "import base64, os, sys, time\n"
        "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey\n"
        f"sign = Ed25519PrivateKey.from_private_bytes(bytes.fromhex({OLD.seed.hex()!r})).sign\n"
    )
    return CommandSigner(OLD.verifier, (sys.executable, "-c", start + script), seconds=60)


@pytest.mark.parametrize(
    "script",
    [
        "sys.stdout.buffer.write(sign(sys.stdin.buffer.read()))",
        "print(base64.b64encode(sign(sys.stdin.buffer.read())).decode())",
    ],
    ids=["raw", "base64"],
)
async def test_command_signs(script: str) -> None:
    note = await Keyring.of([signer(script), LocalSigner(NEW)]).sign(str(LOG.checkpoint(7)))
    assert len(open_checkpoint(note, [OLD.verifier, NEW.verifier]).note.trusted) == 2


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("sys.exit(3)", "ended with 3"),
        ("sys.stdin.close(); sys.exit(3)", "ended with 3"),
        ("", "wrote 0 bytes that are no signature"),
        ("print('no signature')", "wrote 13 bytes that are no signature"),
        ("sys.stdout.buffer.write(bytes(64))", "no signature by steward.example"),
        ("sys.stdout.buffer.write(sign(b'another message'))", "no signature by steward.example"),
        ("sys.stdout.buffer.write(sign(sys.stdin.buffer.read())); sys.exit(1)", "ended with 1"),
        ("while True: print('x' * 1000)", "wrote more than 4096 bytes"),
    ],
)
async def test_command_that_fails_is_told(script: str, told: str) -> None:
    with pytest.raises(SigningFailed, match=told):
        await signer(script).sign(b"message")


async def test_command_that_is_gone_is_told() -> None:
    with pytest.raises(SigningFailed, match="can't be started"):
        await CommandSigner(OLD.verifier, ("/nowhere/kms",)).sign(b"message")


async def test_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """Both hold a pipe open, which ends when they do."""
    pipe = tmp_path / "alive"
    os.mkfifo(pipe)
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as end:
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), end)
        script = f"exec 3> '{pipe}'; printf x >&3; sleep 600 & sleep 600"
        with pytest.raises(SigningFailed, match="gave no signature within 3 s"):
            await CommandSigner(OLD.verifier, ("/bin/sh", "-c", script), seconds=3).sign(b"message")
        async with asyncio.timeout(20):
            assert await reader.read() == b"x"
        transport.close()
