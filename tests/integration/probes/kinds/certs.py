"""Certificates with something wrong about them, each with its key and the authority that signed it."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.parts.certificates import Certificate


def minted(
    folder: Path, *, host: str = "127.0.0.1", starts: float = -1, ends: float = 90, is_self_signed: bool = False
) -> Certificate:
    """A certificate for an address, good from ``starts`` to ``ends`` days from now."""
    folder.mkdir(exist_ok=True)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name, name = _name("Hospital CA"), _name("pacs")
    issuer, issuer_key = (name, key) if is_self_signed else (authority_name, authority_key)
    authority = _builder(authority_name, authority_name, authority_key, -1000, 1000).add_extension(
        x509.BasicConstraints(True, 0), critical=True
    )
    own = _builder(name, issuer, key, starts, ends).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ip_address(host)), x509.DNSName("pacs.example.org")]),
        critical=False,
    )
    certificate = Certificate(folder / "chain.pem", folder / "key.pem", folder / "ca.pem")
    signed = own.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    root = authority.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    certificate.chain.write_bytes(signed if is_self_signed else signed + root)
    certificate.ca.write_bytes(root)
    certificate.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, starts: float, ends: float
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=starts))
        .not_valid_after(now + timedelta(days=ends))
    )
