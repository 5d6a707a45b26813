"""TLS contexts after PS3.15 B.12: TLS 1.2 at least, 1.3 preferred, the cipher suites that RFC 9325 recommends."""

import os
import ssl
from functools import lru_cache

from services.probes.dicom.parameters import Tls

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
# RFC 9325 §4.2: ephemeral keys and authenticated encryption only. TLS 1.3 has no others (RFC 8446 §B.4).
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def client_context(tls: Tls) -> ssl.SSLContext:
    """The context to call a peer with; it is made anew only when one of its files has changed.

    Raises ValueError for files that can't be used.
    """
    return _context(tls, False, _stamps(tls))


def server_context(tls: Tls) -> ssl.SSLContext:
    """The context of a listener; with ``ca_file`` set, callers must show a certificate. Raises ValueError."""
    if tls.certificate is None:
        raise ValueError("a listener with TLS needs a certificate and its key")
    return _context(tls, True, _stamps(tls))


def _stamps(tls: Tls) -> tuple[int, ...]:
    try:
        return tuple(os.stat(path).st_mtime_ns for path in (tls.ca_file, tls.certificate, tls.key) if path is not None)
    except OSError as exc:
        raise ValueError(f"a file of the TLS settings can't be read: {exc.filename}: {exc.strerror}") from exc


@lru_cache(maxsize=256)
def _context(tls: Tls, is_server: bool, _made_at: tuple[int, ...]) -> ssl.SSLContext:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = _VERSIONS[tls.minimum]
        context.set_ciphers(_CIPHERS)
        if tls.ca_file is not None:
            context.load_verify_locations(tls.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        elif not is_server:
            context.load_default_certs()
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as exc:
        raise ValueError(f"the files of the TLS settings can't be used: {exc}") from exc
    return context
