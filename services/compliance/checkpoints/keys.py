"""Where the log's keys come from: a secret (variable or file) or a command such as a KMS's client, never the database.

Several may sign at once, so that a new key is trusted everywhere before the old one ends.
"""

import asyncio
import secrets
import shlex
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar

from services.compliance.checkpoints.durable import create_durably
from services.compliance.checkpoints.note import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    NotAKey,
    Signature,
    SignerKey,
    VerifierKey,
    build_note,
    decode_base64,
)
from shared.errors import StewardError, Unavailable, WrongSetting
from shared.programs import output_of, running

SIGN_SECONDS = 10.0
MAX_ANSWER = 4096
KEYGEN = "steward log keygen NAME --file FILE"

T = TypeVar("T")


class SigningFailed(Unavailable):
    """The key could not be used; says which and why. Nothing was signed, and it may be tried again."""


class KeyExists(StewardError):
    """A file is there already; no key is ever written over."""


class Signer(Protocol):
    """A key that signs; where its secret lies is its own affair."""

    @property
    def key(self) -> VerifierKey:
        """The public key that verifies what is signed; ``str`` of it is the text to give to verifiers."""

    async def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over exactly these bytes. Raises SigningFailed."""


@dataclass(frozen=True)
class LocalSigner:
    """A key that this process holds."""

    secret: SignerKey

    @property
    def key(self) -> VerifierKey:
        """The public key."""
        return self.secret.verifier

    async def sign(self, message: bytes) -> bytes:
        """Signs at once."""
        return self.secret.sign(message)


@dataclass(frozen=True)
class CommandSigner:
    """A key that a command holds: it reads the message on standard input and writes the signature, raw or in Base64.

    What it writes on standard error goes where ours does.
    """

    key: VerifierKey
    command: tuple[str, ...]
    seconds: float = SIGN_SECONDS

    async def sign(self, message: bytes) -> bytes:
        """Runs the command and checks what it gave. Raises SigningFailed; the command has ended when this returns."""
        try:
            async with asyncio.timeout(self.seconds), running(self.command, None, PIPE, None) as process:
                answer = await self._ask(process, message)
                code = await process.wait()
        except TimeoutError as exc:
            raise SigningFailed(f"{self._what} gave no signature within {self.seconds:g} s") from exc
        except OSError as exc:
            raise SigningFailed(f"{self._what} can't be started: {exc}") from exc
        if code != 0:
            raise SigningFailed(f"{self._what} ended with {code}")
        return self._checked(answer, message)

    async def _ask(self, process: asyncio.subprocess.Process, message: bytes) -> bytes:
        assert process.stdin is not None  # noqa: S101 -- it is a pipe
        # A command that ends without reading tells why by its exit code.
        with suppress(ConnectionError):
            process.stdin.write(message)
            await process.stdin.drain()
            process.stdin.close()
        answer = await output_of(process.stdout, MAX_ANSWER)
        if answer is None:
            raise SigningFailed(f"{self._what} wrote more than {MAX_ANSWER} bytes")
        return answer

    def _checked(self, answer: bytes, message: bytes) -> bytes:
        as_text = decode_base64(answer.strip().decode(errors="replace"))
        for signature in (answer, as_text):
            if signature is not None and len(signature) == SIGNATURE_BYTES and self.key.verifies(message, signature):
                return signature
        raise SigningFailed(f"{self._what} wrote {len(answer)} bytes that are no signature by {self.key}")

    @property
    def _what(self) -> str:
        return f"the command {self.command[0]} that signs for {self.key.name}"


@dataclass(frozen=True)
class Keyring:
    """The keys of one log: those that sign now, and those that signed before. All have the log's origin as name."""

    signers: tuple[Signer, ...]
    former: tuple[VerifierKey, ...] = field(default=())

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.signers[0].key.name

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        """The public keys that may have signed a checkpoint, the present ones first."""
        return (*(signer.key for signer in self.signers), *self.former)

    @classmethod
    def of(cls, signers: Sequence[Signer], former: Sequence[VerifierKey] = ()) -> Self:
        """Raises WrongSetting when there is no key, or not all are of one log."""
        if not signers:
            raise WrongSetting(f"STEWARD_LOG_KEY: is required: a private key, which `{KEYGEN}` makes")
        ring = cls(tuple(signers), tuple(former))
        if others := {key.name for key in ring.keys} - {ring.origin}:
            raise WrongSetting(
                f"STEWARD_LOG_KEY: all keys of a log have its name, {ring.origin} here; others: {', '.join(others)}"
            )
        if len(set(ring.keys)) < len(ring.keys):
            raise WrongSetting("STEWARD_LOG_KEY: a key is named twice; a former key must not sign any more")
        return ring

    async def sign(self, text: str, others: Sequence[Signature] = ()) -> bytes:
        """The note of that text, signed by all present keys, with the signatures of ``others`` behind theirs.

        Raises SigningFailed when one of them fails; then nothing may be shown. Raises NotANote.
        """
        message = text.encode()
        ours = [Signature(s.key.name, s.key.key_id, await s.sign(message)) for s in self.signers]
        return build_note(text, [*ours, *others])


def open_keyring(secret: str, commands: str, former: str) -> Keyring:
    """The keys as the settings name them. Raises WrongSetting, which names the setting and never shows a secret.

    ``secret``: private keys, separated by white space. ``commands``: a line for each, the public key and the command
    line. ``former``: public keys, separated by white space.
    """
    signers: list[Signer] = [LocalSigner(parse_setting("STEWARD_LOG_KEY", SignerKey.parse, t)) for t in secret.split()]
    signers += [_command_signer(line) for line in commands.splitlines() if line.strip()]
    old = [parse_setting("STEWARD_LOG_FORMER_KEYS", VerifierKey.parse, text) for text in former.split()]
    return Keyring.of(signers, old)


def _command_signer(line: str) -> CommandSigner:
    setting = "STEWARD_LOG_KEY_COMMANDS"
    try:
        public, *command = shlex.split(line)
    except ValueError as exc:
        raise WrongSetting(f"{setting}: {exc}") from exc
    key = parse_setting(setting, VerifierKey.parse, public)
    if not command:
        raise WrongSetting(f"{setting}: the command is missing behind the public key of {key.name}")
    program = shutil.which(command[0])
    if program is None:
        raise WrongSetting(f"{setting}: {command[0]} is no program that can be run")
    return CommandSigner(key, (program, *command[1:]))


def parse_setting(setting: str, parse: Callable[[str], T], text: str) -> T:
    """What a setting holds. Raises WrongSetting in place of NotAKey."""
    try:
        return parse(text)
    except NotAKey as exc:
        raise WrongSetting(f"{setting}: {exc}") from exc


def generate_key(name: str, kind: type[VerifierKey] = VerifierKey) -> SignerKey:
    """A new private key. Raises NotAKey when it can't be called so."""
    return SignerKey.from_seed(name, secrets.token_bytes(KEY_BYTES), kind)


def generate_key_file(path: Path, name: str, kind: type[VerifierKey] = VerifierKey) -> VerifierKey:
    """Writes a new private key into a file that its owner alone can read, and gives the public key.

    Raises KeyExists, NotAKey, OSError.
    """
    key = generate_key(name, kind)
    try:
        create_durably(path, f"{key.reveal()}\n".encode())
    except FileExistsError as exc:
        raise KeyExists(f"{path} is there already; a key is never written over") from exc
    return key.verifier
