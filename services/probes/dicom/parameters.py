"""What the caller of the user agent says: whom to associate with, as whom, for what, and within which limits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Literal, Self

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
UNCOMPRESSED = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)

TlsVersion = Literal["1.2", "1.3"]


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS as PS3.15 B.12 has it: 1.2 at least, 1.3 preferred, cipher suites of RFC 9325.

    ``ca_file`` holds the authorities that the other side's certificate must come from (by default the system's; at a
    listener none, and then callers need no certificate). ``certificate`` and ``key`` are PEM files of our own, needed
    at a listener. ``server_name`` is the name that must stand in the peer's certificate, by default the peer's host.
    """

    ca_file: str | PathLike[str] | None = None
    certificate: str | PathLike[str] | None = None
    key: str | PathLike[str] | None = None
    server_name: str | None = None
    minimum: TlsVersion = "1.2"


@dataclass(frozen=True, slots=True)
class Peer:
    """A DICOM node to associate with: `host` is a name or an address, `ae_title` the called AE title."""

    host: str
    port: int
    ae_title: str
    tls: Tls | None = None

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who asks, for the peer to check (PS3.7 D.3.3.7). ``kind`` is the User-Identity-Type; fields are never printed."""

    kind: Literal[1, 2, 3, 4, 5]
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    wants_response: bool = False

    @classmethod
    def username(cls, name: str, passcode: str | None = None) -> Self:
        """A user name, with its passcode where one is given."""
        if passcode is None:
            return cls(1, name.encode())
        return cls(2, name.encode(), passcode.encode())

    @classmethod
    def token(cls, kind: Literal["kerberos", "saml", "jwt"], token: bytes) -> Self:
        """A Kerberos service ticket, a SAML assertion or a JSON Web Token."""
        kinds: dict[str, Literal[3, 4, 5]] = {"kerberos": 3, "saml": 4, "jwt": 5}
        return cls(kinds[kind], token)


@dataclass(frozen=True, slots=True)
class Calling:
    """Who calls."""

    ae_title: str = "STEWARD"
    identity: UserIdentity | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """A presentation context to propose. ``as_scp``: we also act as SCP of it, as C-GET needs (PS3.7 D.3.3.4)."""

    abstract_syntax: str
    transfer_syntaxes: Sequence[str] = UNCOMPRESSED
    as_scp: bool = False


@dataclass(frozen=True, slots=True)
class NegotiatedContext:
    """What became of a proposed context: ``result`` is that of PS3.8 Table 9-18, 0 for acceptance.

    ``transfer_syntax`` is the accepted one. ``as_scp``: the peer takes us as SCP.
    """

    id: int
    abstract_syntax: str
    result: int
    transfer_syntax: str | None = None
    as_scp: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether messages may be sent over it."""
        return self.result == 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken from a peer. What passes a limit ends the association as failure ``limit``.

    ``instance_bytes`` is the largest instance that is received, ``identifier_bytes`` the largest C-FIND identifier,
    ``matches`` the most answers to one C-FIND and the most instances or progress reports of one retrieval.
    ``operation_seconds`` bounds one operation with all its answers. ``slowest`` (bytes a second): while an instance
    comes at least this fast, it may take longer than the time-out of one answer.
    """

    instance_bytes: int = 1 << 30
    identifier_bytes: int = 1 << 14
    matches: int = 10_000
    operation_seconds: float = 3600.0
    slowest: int = 16_384
