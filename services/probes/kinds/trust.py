"""Whom a check trusts over TLS, and the contexts that trust so."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from services.probes.kinds.attempt import Attempt, our_fault
from services.probes.kinds.secret_names import Secret


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


def context_for(trust: Trust, attempt: Attempt, server_name: str) -> ssl.SSLContext:
    """The same for one peer alone, for a library that sets what it likes in a context, and tells it no name."""
    shared = context_of(trust, attempt)
    context = _OfOnePeer(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = server_name
    context.verify_flags = shared.verify_flags
    context.check_hostname, context.verify_mode = shared.check_hostname, shared.verify_mode
    context.is_settled = True
    if trust.trust:
        context.load_verify_locations(attempt.secret_file(trust.trust))
    else:
        context.load_default_certs()
    if trust.client_certificate:
        key = trust.client_key and str(attempt.secret_file(trust.client_key))
        _show(context, str(attempt.secret_file(trust.client_certificate)), key)
    return context


class _OfOnePeer(ssl.SSLContext):
    """Whether names are checked can't be changed any more, and there is always one to check."""

    server_name = ""
    is_settled = False

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "check_hostname" or not self.is_settled:
            super().__setattr__(name, value)

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **more | {"server_hostname": self.server_name})


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
