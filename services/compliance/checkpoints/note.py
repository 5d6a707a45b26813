"""Signed notes (c2sp.org/signed-note): a text, the keys that sign it by Ed25519, and which signatures are trusted.

Every note has one form only: what parses is built again to the same bytes, but for signatures that are repeated.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import StewardError

MAX_NOTE_BYTES = 128 * 1024
"""Room for 16 signatures of nearly 5 kB, which every reader must accept."""

MAX_SIGNATURES = 100
MAX_NAME_BYTES = 255
KEY_BYTES = 32
SIGNATURE_BYTES = 64
ID_BYTES = 4
DASH = "— "
PRIVATE = "PRIVATE+KEY+"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NotAKey(StewardError):
    """The text is no key of the kind that is needed; never shows a private one."""


class NotANote(StewardError):
    """The bytes are no signed note; says which rule they break."""


class Untrusted(StewardError):
    """No trusted key has signed the note, or a signature by one of them is wrong."""


def is_key_name(name: str) -> bool:
    """Whether a key may be called so: not empty, no space of Unicode, no plus, no control character."""
    return name != "" and not any(c.isspace() or c == "+" or c < " " for c in name)


def decode_base64(text: str) -> bytes | None:
    """The bytes of standard Base64 in its one form (RFC 4648 §4, with padding), or None."""
    try:
        raw = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        return None
    return raw if encode_base64(raw) == text else None


def encode_base64(raw: bytes) -> str:
    """Standard Base64 (RFC 4648 §4)."""
    return b64encode(raw).decode()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public key of a log, type 0x01: an Ed25519 signature over the note's text. Raises NotAKey."""

    kind: ClassVar[int] = 0x01
    meaning: ClassVar[str] = "a log's key (type 0x01)"

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.name.encode()) > MAX_NAME_BYTES:
            raise NotAKey(f"the key name {self.name!r} must have 1 to {MAX_NAME_BYTES} bytes, no space and no plus")
        if len(self.public) != KEY_BYTES:
            raise NotAKey(f"an Ed25519 public key has {KEY_BYTES} bytes, not {len(self.public)}")

    @property
    def key_id(self) -> bytes:
        """Four bytes that, with the name, say which key has signed."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``NAME+ID+BASE64``. Raises NotAKey."""
        name, plus, rest = text.partition("+")
        key_id, also, encoded = rest.partition("+")
        if not (plus and also):
            raise NotAKey(f"{text!r} must be name+id+base64, {cls.meaning}")
        key = cls(name, _material(cls, name, encoded))
        if str(key) != text:
            raise NotAKey(f"the key of {name} does not match its id {key_id!r}; a character was changed or lost")
        return key

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over the text of a note."""
        return is_ed25519(self.public, signature, text)


K = TypeVar("K", bound=VerifierKey)


def is_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is right (RFC 8032 §5.1.7)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key, and the public one that verifies what it signs."""

    verifier: VerifierKey
    seed: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, name: str, seed: bytes, kind: type[VerifierKey] = VerifierKey) -> Self:
        """The key of 32 secret bytes. Raises NotAKey."""
        if len(seed) != KEY_BYTES:
            raise NotAKey(f"a private key has {KEY_BYTES} bytes, not {len(seed)}")
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        return cls(kind(name, public), seed)

    @classmethod
    def parse(cls, text: str, kind: type[VerifierKey] = VerifierKey) -> Self:
        """Reads ``PRIVATE+KEY+NAME+ID+BASE64``. Raises NotAKey, which never shows what was read."""
        name, _, rest = text.removeprefix(PRIVATE).partition("+")
        _, plus, encoded = rest.partition("+")
        if not (text.startswith(PRIVATE) and plus):
            raise NotAKey(f"a private key must be {PRIVATE}name+id+base64, {kind.meaning}")
        key = cls.from_seed(name, _material(kind, name, encoded), kind)
        if key.reveal() != text:
            raise NotAKey(f"the private key of {name} does not match its id; a character was changed or lost")
        return key

    def reveal(self) -> str:
        """The private key as text."""
        material = encode_base64(bytes([self.verifier.kind]) + self.seed)
        return f"{PRIVATE}{self.verifier.name}+{self.verifier.key_id.hex()}+{material}"

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature over exactly these bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def _material(kind: type[VerifierKey], name: str, encoded: str) -> bytes:
    raw = decode_base64(encoded)
    if raw is None or len(raw) != 1 + KEY_BYTES:
        raise NotAKey(f"the key of {name!r} must be the Base64 of a type and {KEY_BYTES} bytes")
    if raw[0] != kind.kind:
        raise NotAKey(f"the key of {name!r} has the type 0x{raw[0]:02x}; needed is {kind.meaning}")
    return raw[1:]


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: whose, and the bytes after the key's id."""

    name: str
    key_id: bytes
    signature: bytes

    @classmethod
    def parse(cls, line: str) -> Self:
        """Reads a line without its line feed. Raises NotANote."""
        name, space, encoded = line.removeprefix(DASH).partition(" ")
        if not (line.startswith(DASH) and space and is_key_name(name)):
            raise NotANote(f"the signature line {line[:80]!r} must be: em dash, space, key name, space, Base64")
        raw = decode_base64(encoded)
        if raw is None or len(raw) <= ID_BYTES:
            raise NotANote(f"the signature of {name} must be the Base64 of {ID_BYTES} bytes of key id and a signature")
        return cls(name, raw[:ID_BYTES], raw[ID_BYTES:])

    def __str__(self) -> str:
        return f"{DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it claims to be of this key."""
        return (self.name, self.key_id) == (key.name, key.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a line feed, and its signatures, each once. ``trusted`` are those that were verified."""

    text: str
    signatures: tuple[Signature, ...]
    trusted: tuple[Signature, ...] = ()

    def signed_by(self, key: VerifierKey) -> Signature | None:
        """This key's verified signature."""
        return next((signature for signature in self.trusted if signature.is_by(key)), None)


def parse_note_unverified(raw: bytes) -> Note:
    """Reads a note and believes none of its signatures. Raises NotANote."""
    body, blank, block = _decode(raw).rpartition("\n\n")
    if not (blank and block.endswith("\n")):
        raise NotANote("a note ends in an empty line and signature lines, each with its line feed")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NotANote(f"the note has {len(lines)} signatures; the limit is {MAX_SIGNATURES}")
    return Note(body + "\n", tuple(Signature.parse(line) for line in dict.fromkeys(lines)))


def open_note(raw: bytes, keys: Iterable[VerifierKey]) -> Note:
    """Reads a note that a trusted key has signed.

    Signatures by other keys are ignored. Raises NotANote; Untrusted when there is no signature by one of ``keys``, or
    a wrong one.
    """
    note = parse_note_unverified(raw)
    known = _by_name_and_id(keys)
    text = note.text.encode()
    trusted = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(text, signature.signature):
            raise Untrusted(f"the signature by {key} is wrong: the text or the signature was changed")
        trusted.append(signature)
    if not trusted:
        raise Untrusted(
            f"{_signers(note)} signed it, and none of the trusted keys: {_listed(map(str, known.values()))}"
        )
    return Note(note.text, note.signatures, tuple(trusted))


def build_note(text: str, signatures: Sequence[Signature]) -> bytes:
    """The note's bytes. Raises NotANote when they would not parse again."""
    if not text.endswith("\n"):
        raise NotANote("the text of a note ends in a line feed")
    raw = f"{text}\n{''.join(dict.fromkeys(map(str, signatures)))}".encode()
    if parse_note_unverified(raw).text != text:
        raise NotANote("the text of a note must not contain what reads as its signatures")
    return raw


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_NOTE_BYTES:
        raise NotANote(f"the note has {len(raw)} bytes; the limit is {MAX_NOTE_BYTES}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as exc:
        raise NotANote(f"the note is not UTF-8 at byte {exc.start}") from exc
    if found := CONTROL.search(text):
        raise NotANote(f"the note has the control character U+{ord(found[0]):04X}; only line feeds are allowed")
    return text


def _by_name_and_id(keys: Iterable[VerifierKey]) -> dict[tuple[str, bytes], VerifierKey]:
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NotAKey(f"two different trusted keys have the name and id of {key}; remove the wrong one")
    return known


def _signers(note: Note) -> str:
    return _listed(f"{signature.name}+{signature.key_id.hex()}" for signature in note.signatures)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nobody"
