"""What a handshake that failed is called, whichever OpenSSL and Python tell of it."""

import ssl

import pytest

from services.probes.kinds.tls_faults import tls_fault


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        ("[SSL] legacy sigalg disallowed or unsupported (_ssl.c:992)", "tls_version"),
        ("[SSL: LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED] legacy sigalg disallowed (_ssl.c:1000)", "tls_version"),
        ("[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:1000)", "tls_version"),
        ("[SSL: UNSUPPORTED_PROTOCOL] unsupported protocol (_ssl.c:1000)", "tls_version"),
        ("[SSL: BAD_RECORD_TYPE] bad record type (_ssl.c:1000)", "tls"),
    ],
)
def test_an_old_version_is_told_as_such(said: str, failure: str) -> None:
    """Python gives the reason only of what its own tables know; the text has it always."""
    fault = ssl.SSLError(1, said)
    fault.reason = ""
    ended = tls_fault(fault)
    assert ended is not None
    assert ended.observation.failure == failure
