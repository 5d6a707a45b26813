"""What an error of the network means: the peer's failure, or our own."""

import errno
import os
import socket
import ssl

from services.probes.dicom.domain import DicomFailure, FailureClass

_LOCAL_ERRNOS = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.EACCES,
    errno.EPERM,
    errno.ENETDOWN,
    errno.ENETUNREACH,
}
_RESOLVER_FAULTS = {socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY}

# OpenSSL's X509_V_ERR_…: which is what, in the order of its header.
_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAMES = {62, 64}
_VERSION_REASONS = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
_CLIENT_REASONS = {
    *("TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA"),
    *("SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
    *("SSLV3_ALERT_CERTIFICATE_REVOKED", "TLSV1_ALERT_ACCESS_DENIED"),
}


def not_resolved(host: str, fault: OSError | ValueError) -> DicomFailure:
    """A host name that has no address; a resolver that fails is our own fault, not the peer's."""
    if isinstance(fault, socket.gaierror) and fault.errno in _RESOLVER_FAULTS:
        return DicomFailure("dns", f"Our name resolver can't be used: {fault.strerror}.", outcome="probe_error")
    return DicomFailure("dns", f"The host name {host!r} has no address.")


def not_connected(fault: OSError) -> DicomFailure:
    """A connection that could not be made."""
    if fault.errno in _LOCAL_ERRNOS:
        return _local(fault)
    if fault.errno == errno.ECONNREFUSED:
        return DicomFailure("refused", "The connection was refused: nothing listens on that port.")
    if fault.errno == errno.ETIMEDOUT:
        return DicomFailure("timeout_connect", "No connection could be made: the host does not answer.")
    return DicomFailure("unreachable", f"No connection could be made: {_words(fault)}.")


def not_secured(fault: OSError) -> DicomFailure:
    """A TLS handshake that failed (PS3.15 B.12)."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _untrusted(fault)
    if isinstance(fault, ssl.SSLError) and fault.reason in _VERSION_REASONS:
        return DicomFailure("tls_version", f"The peer and we have no version of TLS in common: {_reason(fault)}.")
    if isinstance(fault, ssl.SSLError) and fault.reason in _CLIENT_REASONS:
        return DicomFailure(
            "tls_client_certificate", f"The peer refused our certificate or missed it: {_reason(fault)}."
        )
    if isinstance(fault, ssl.SSLError):
        return DicomFailure("tls", f"The TLS handshake failed: {_reason(fault)}.")
    return disconnected(fault)


def disconnected(fault: BaseException | None) -> DicomFailure:
    """A connection that broke before the peer's answer was whole."""
    if isinstance(fault, ssl.SSLError):
        return not_secured(fault)
    if isinstance(fault, OSError) and fault.errno in _LOCAL_ERRNOS:
        return _local(fault)
    how = _words(fault) if isinstance(fault, OSError) else "closed by the peer"
    return DicomFailure("closed", f"The connection ended before the peer had answered: {how}.")


def _untrusted(fault: ssl.SSLCertVerificationError) -> DicomFailure:
    failure: FailureClass = "tls_untrusted"
    if fault.verify_code in (_EXPIRED, _NOT_YET_VALID):
        failure = "tls_expired"
    elif fault.verify_code in _WRONG_NAMES:
        failure = "tls_name"
    return DicomFailure(failure, f"The peer's certificate is not accepted: {fault.verify_message.rstrip('.')}.")


def _local(fault: OSError) -> DicomFailure:
    detail = f"The probe itself could not use the network: {_words(fault)}."
    return DicomFailure("local", detail, outcome="probe_error")


def _reason(fault: ssl.SSLError) -> str:
    return (fault.reason or "unknown").replace("_", " ").lower()


def _words(fault: OSError) -> str:
    return os.strerror(fault.errno).lower() if fault.errno else str(fault) or type(fault).__name__
