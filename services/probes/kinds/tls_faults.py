"""What a handshake that fails means, and contexts to make it with."""

import ssl
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, Field

from services.probes.kinds.attempt import Attempt, Ended, failed, our_fault
from services.probes.kinds.secret_names import Secret

TLS_FAILURES = {
    "tls_expired": "the certificate, or one that it rests on, has expired",
    "tls_not_yet_valid": "the certificate is not valid yet",
    "tls_untrusted": "nobody whom we trust signed the certificate: self-signed, or an issuer is missing",
    "tls_name": "the certificate is for other names",
    "tls_version": "the peer speaks no TLS version that we accept",
    "tls_client": "the peer wants a certificate of ours, or refused the one that it got",
    "tls": "the handshake failed for another reason",
    "timeout_tls": "the handshake was not finished within the timeout",
}
# An OpenSSL that has signatures by SHA-1 forbidden says so of any handshake below TLS 1.2, some Pythons in prose.
_OLD = {"UNSUPPORTED_PROTOCOL", "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED"}
_EXPIRED, _NOT_YET_VALID, _NAMES = {10, 12}, {9}, {62, 63, 64}
_SELF_SIGNED = {18: "it is self-signed", 19: "its root is self-signed and not among those we trust"}


class Trust(BaseModel):
    """Whom to trust over TLS, and what to show."""

    verify: bool = Field(True, description="whether the certificate must be trusted, in date and for that name")
    trust: Secret | None = Field(
        None,
        description="file of CA certificates among the secrets; by default the system's",
        examples=["north.hospital-ca.pem"],
    )
    client_certificate: Secret | None = Field(
        None, description="our certificate with its chain, a PEM file among the secrets", examples=["north.probe.pem"]
    )
    client_key: Secret | None = Field(None, description="the key of our certificate", examples=["north.probe-key.pem"])


def context_of(trust: Trust, attempt: Attempt) -> ssl.SSLContext:
    """A context that trusts so. Raises SecretMissing, or Ended when a file among the secrets is none."""
    files = [name and str(attempt.secret_file(name)) for name in _names(trust)]
    written = tuple(file and Path(file).stat().st_mtime_ns for file in files)
    try:
        return _context(trust.verify, files[0], files[1], files[2], written)
    except (OSError, ValueError) as exc:
        names = ", ".join(name for name in _names(trust) if name)
        raise our_fault("settings", f"The certificates or the key can't be used ({names}): {exc}.") from exc


def lax_context(trust: Trust, attempt: Attempt) -> ssl.SSLContext:
    """A context that takes whatever the peer shows, by whatever version: to look at it, never to send a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    if trust.client_certificate:
        key = trust.client_key and str(attempt.secret_file(trust.client_key))
        _show(context, str(attempt.secret_file(trust.client_certificate)), key)
    return context


def tls_fault(fault: BaseException) -> Ended | None:
    """How a handshake ended, or None where TLS was not to blame."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _not_verified(fault)
    if isinstance(fault, ssl.SSLEOFError) or not isinstance(fault, ssl.SSLError):
        return None
    reason = fault.reason or str(fault)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"):
        return failed("protocol", "The peer does not speak TLS on that port.")
    if "VERSION" in reason or any(words in reason.upper().replace(" ", "_") for words in _OLD):
        return failed("tls_version", "The peer speaks no version of TLS that is accepted.")
    if "CERTIFICATE" in reason or "ALERT_HANDSHAKE_FAILURE" in reason:
        return failed("tls_client", f"The peer refused the handshake ({_words(reason)}); it may want a certificate.")
    return failed("tls", f"The TLS handshake failed: {_words(reason)}.")


@lru_cache(maxsize=64)
def _context(
    verify: bool, ca: str | None, certificate: str | None, key: str | None, written: tuple[int | str | None, ...]
) -> ssl.SSLContext:
    """Reading the system's certificates takes milliseconds, so contexts are kept while their files stay as they are."""
    context = ssl.create_default_context(cafile=ca)
    # Python 3.13 began to ask for extensions that the CAs of hospitals seldom write.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        _show(context, certificate, key)
    return context


def _show(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    """A key that asks for a password is refused: without one here, OpenSSL would ask at the terminal."""
    context.load_cert_chain(certificate, key, password=lambda: b"")


def _names(trust: Trust) -> tuple[str | None, str | None, str | None]:
    return trust.trust, trust.client_certificate, trust.client_key


def _not_verified(fault: ssl.SSLCertVerificationError) -> Ended:
    code = fault.verify_code
    if code in _EXPIRED:
        return failed("tls_expired", "The certificate, or one that it rests on, has expired.")
    if code in _NOT_YET_VALID:
        return failed("tls_not_yet_valid", "The certificate is not valid yet; or our clock is wrong.")
    if code in _NAMES:
        return failed("tls_name", f"The certificate is for other names: {fault.verify_message}.")
    why = _SELF_SIGNED.get(code, fault.verify_message)
    return failed("tls_untrusted", f"The certificate is not trusted: {why}.")


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()
