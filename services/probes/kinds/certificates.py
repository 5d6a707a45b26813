"""What a TLS connection says of itself: its version, its cipher, and whose certificates were shown."""

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes

DAY = 86_400.0
LONGEST_FACT = 1000
MOST_CERTIFICATES = 10
_DER = 2


def days_left(shown: Sequence[x509.Certificate], now: datetime) -> dict[str, float]:
    """Days until the certificate, and until the first of its chain, expires; negative when it has."""
    if not shown:
        return {}
    days = [round((one.not_valid_after_utc - now).total_seconds() / DAY, 3) for one in shown]
    return {"expires_in_days": days[0], "chain_expires_in_days": min(days)}


def certificates_of(connection: ssl.SSLObject) -> list[x509.Certificate]:
    """What the peer showed, its own first; none of it is verified here, and what can't be read is left out."""
    shown = []
    for der in _shown(connection)[:MOST_CERTIFICATES]:
        try:
            shown.append(x509.load_der_x509_certificate(der))
        except ValueError:
            break
    return shown


def facts_of(connection: ssl.SSLObject, shown: Sequence[x509.Certificate]) -> dict[str, str]:
    """The connection and the peer's certificate in words."""
    cipher = connection.cipher()
    facts = {"tls_version": connection.version() or "", "cipher": cipher[0] if cipher else ""}
    if shown:
        own = shown[0]
        facts |= {
            "subject": _name(own.subject),
            "issuer": _name(own.issuer),
            "names": ", ".join(_names(own)),
            "not_before": own.not_valid_before_utc.isoformat(),
            "not_after": own.not_valid_after_utc.isoformat(),
            "serial_number": f"{own.serial_number:x}",
            "sha256": own.fingerprint(hashes.SHA256()).hex(),
            "chain": " ← ".join(_name(one.subject) for one in shown),
        }
    return {name: value[:LONGEST_FACT] for name, value in facts.items()}


def now() -> datetime:
    """The time that certificates are held against."""
    return datetime.now(UTC)


def _shown(connection: ssl.SSLObject) -> list[bytes]:
    if hasattr(connection, "get_unverified_chain"):
        return cast(list[bytes], connection.get_unverified_chain() or [])
    # Public since Python 3.13; before, only the object inside has it.
    inside: Any = cast(Any, connection)._sslobj
    return [one.public_bytes(_DER) for one in inside.get_unverified_chain() or []]


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    return [str(name.value) for name in extension.value if isinstance(name, x509.DNSName | x509.IPAddress)]
