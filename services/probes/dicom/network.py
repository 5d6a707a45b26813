"""What an error of the network means for an echo: the peer's failure, or our own."""

import errno
import os
import socket

from services.probes.dicom.domain import EchoResult

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


def not_resolved(host: str, fault: OSError | ValueError) -> EchoResult:
    """The result for a host name that has no address; a resolver that fails is our own fault, not the peer's."""
    if isinstance(fault, socket.gaierror) and fault.errno in _RESOLVER_FAULTS:
        return EchoResult("probe_error", "dns", f"Our name resolver can't be used: {fault.strerror}.")
    return EchoResult("failed", "dns", f"The host name {host!r} has no address.")


def not_connected(fault: OSError) -> EchoResult:
    """The result for a connection that could not be made."""
    if fault.errno in _LOCAL_ERRNOS:
        return _local(fault)
    if fault.errno == errno.ECONNREFUSED:
        return EchoResult("failed", "refused", "The connection was refused: nothing listens on that port.")
    if fault.errno == errno.ETIMEDOUT:
        return EchoResult("failed", "timeout_connect", "No connection could be made: the host does not answer.")
    return EchoResult("failed", "unreachable", f"No connection could be made: {_words(fault)}.")


def disconnected(fault: OSError | EOFError) -> EchoResult:
    """The result for a connection that broke before the peer's answer was whole."""
    if isinstance(fault, OSError) and fault.errno in _LOCAL_ERRNOS:
        return _local(fault)
    how = _words(fault) if isinstance(fault, OSError) else "closed by the peer"
    return EchoResult("failed", "closed", f"The connection ended before the peer had answered: {how}.")


def _local(fault: OSError) -> EchoResult:
    return EchoResult("probe_error", "local", f"The probe itself could not use the network: {_words(fault)}.")


def _words(fault: OSError) -> str:
    return os.strerror(fault.errno).lower() if fault.errno else str(fault) or type(fault).__name__
