"""What an error of the network or of TLS means, for every probe: the peer's failure, or our own."""

import errno
import os
import socket
import ssl

from services.probes.dicom.domain import DicomFailure

_LOCAL_ERRNOS = {
    *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT),
    *(errno.EACCES, errno.EPERM, errno.ENETDOWN, errno.ENETUNREACH),
}
_RESOLVER_FAULTS = {socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY}

# OpenSSL's X509_V_ERR_…: which is what, in the order of its header.
_NOT_YET_VALID, _EXPIRED, _NAMES = {9}, {10, 12}, {62, 63, 64}
_SELF_SIGNED = {18: "it is self-signed", 19: "its root is self-signed and not among those we trust"}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
_OLD = {
    *("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"),
    # An OpenSSL that has signatures by SHA-1 forbidden says so of any handshake below TLS 1.2.
    "LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED",
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


def disconnected(fault: BaseException | None) -> DicomFailure:
    """A connection that broke before the peer's answer was whole, be it in the TLS handshake (PS3.15 B.12)."""
    if isinstance(fault, ssl.SSLError) and not isinstance(fault, ssl.SSLEOFError):
        return _not_secured(fault)
    if isinstance(fault, OSError) and fault.errno in _LOCAL_ERRNOS:
        return _local(fault)
    how = "closed by the peer"
    if isinstance(fault, OSError) and not isinstance(fault, ssl.SSLEOFError):
        how = _words(fault)
    return DicomFailure("closed", f"The connection ended before the peer had answered: {how}.")


def _not_secured(fault: ssl.SSLError) -> DicomFailure:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return _not_verified(fault)
    reason = _reason(fault)
    if reason in _NO_TLS:
        return DicomFailure("tls", "The peer does not speak TLS on that port.")
    if reason in _OLD:
        return DicomFailure("tls_version", "The peer speaks no version of TLS that is accepted.")
    words = reason.replace("_", " ").lower()
    if "CERTIFICATE" in reason or reason in ("TLSV1_ALERT_UNKNOWN_CA", "TLSV1_ALERT_ACCESS_DENIED"):
        return DicomFailure("tls_client_certificate", f"The peer refused our certificate or missed it: {words}.")
    if reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":
        why = "it wants a certificate of ours, or takes none of our ciphers"
        return DicomFailure("tls", f"The peer refused the TLS handshake: {why}.")
    return DicomFailure("tls", f"The TLS handshake failed: {words}.")


def _not_verified(fault: ssl.SSLCertVerificationError) -> DicomFailure:
    code, words = fault.verify_code, fault.verify_message.rstrip(".")
    if code in _EXPIRED:
        return DicomFailure("tls_expired", "The peer's certificate, or one that it rests on, has expired.")
    if code in _NOT_YET_VALID:
        return DicomFailure("tls_not_yet_valid", "The peer's certificate is not valid yet; or our clock is wrong.")
    if code in _NAMES:
        return DicomFailure("tls_name", f"The peer's certificate is for other names: {words}.")
    return DicomFailure("tls_untrusted", f"The peer's certificate is not trusted: {_SELF_SIGNED.get(code, words)}.")


def _local(fault: OSError) -> DicomFailure:
    detail = f"The probe itself could not use the network: {_words(fault)}."
    return DicomFailure("local", detail, outcome="probe_error")


def _reason(fault: ssl.SSLError) -> str:
    """OpenSSL's word for it; where Python's own tables lack it, OpenSSL's text has it in prose."""
    if reason := getattr(fault, "reason", None):
        return str(reason)
    text = str(fault).partition("] ")[2].partition(" (_ssl.c")[0] or str(fault)
    return text.upper().replace(" ", "_")


def _words(fault: OSError) -> str:
    return os.strerror(fault.errno).lower() if fault.errno else str(fault) or type(fault).__name__
