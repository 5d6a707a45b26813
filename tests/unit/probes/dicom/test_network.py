"""Which errors of the network and of TLS are the peer's, which are our own, and what each is called."""

import errno
import os
import socket
import ssl

import pytest

from services.probes.dicom.domain import timed_out
from services.probes.dicom.network import disconnected, not_connected, not_resolved


def fault(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENETDOWN, errno.ENETUNREACH, errno.EADDRNOTAVAIL]
)
def test_what_this_machine_lacks_is_never_the_peers_failure(number: int) -> None:
    for result in (not_connected(fault(number)), disconnected(fault(number))):
        assert (result.outcome, result.failure) == ("probe_error", "local")


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ECONNREFUSED, "refused"),
        (errno.EHOSTUNREACH, "unreachable"),
        (errno.ECONNRESET, "unreachable"),
        (errno.ETIMEDOUT, "timeout_connect"),
    ],
)
def test_a_peer_that_can_not_be_connected_to_has_failed(number: int, failure: str) -> None:
    result = not_connected(fault(number))
    assert (result.outcome, result.failure) == ("failed", failure)


def test_an_unknown_name_is_a_failure_and_a_silent_resolver_is_ours() -> None:
    unknown = not_resolved("pacs.invalid", socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert (unknown.outcome, unknown.failure) == ("failed", "dns")
    silent = not_resolved("pacs.invalid", socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert (silent.outcome, silent.failure) == ("probe_error", "dns")
    assert timed_out("dns", 5).outcome == "probe_error"


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("[SSL] legacy sigalg disallowed or unsupported (_ssl.c:992)", "tls_version"),
        ("[SSL] unsupported protocol (_ssl.c:992)", "tls_version"),
        ("[SSL] tlsv13 alert certificate required (_ssl.c:992)", "tls_client_certificate"),
        ("[SSL] bad record type (_ssl.c:1000)", "tls"),
        ("no words that we know", "tls"),
    ],
)
def test_an_openssl_for_whose_words_python_has_none_is_understood(said: str, failure: str) -> None:
    """Python gives the reason only of what its own tables know; the text has it always."""
    assert disconnected(ssl.SSLError(1, said)).failure == failure


@pytest.mark.parametrize(
    ("reason", "failure"),
    [
        ("LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED", "tls_version"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "tls_version"),
        ("UNSUPPORTED_PROTOCOL", "tls_version"),
        ("NO_PROTOCOLS_AVAILABLE", "tls_version"),
        ("WRONG_VERSION_NUMBER", "tls"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "tls"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls_client_certificate"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "tls_client_certificate"),
        ("TLSV1_ALERT_UNKNOWN_CA", "tls_client_certificate"),
    ],
)
def test_what_openssl_gives_as_reason_has_a_class(reason: str, failure: str) -> None:
    fault = ssl.SSLError(1, "a handshake that failed")
    fault.reason = reason
    assert disconnected(fault).failure == failure


@pytest.mark.parametrize(
    ("code", "failure"), [(10, "tls_expired"), (9, "tls_not_yet_valid"), (62, "tls_name"), (18, "tls_untrusted")]
)
def test_why_a_certificate_is_not_verified_has_a_class(code: int, failure: str) -> None:
    fault = ssl.SSLCertVerificationError(1, "certificate verify failed")
    fault.verify_code, fault.verify_message = code, "as OpenSSL says"
    assert disconnected(fault).failure == failure


def test_a_peer_that_leaves_within_the_handshake_has_closed() -> None:
    assert disconnected(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")).failure == "closed"
