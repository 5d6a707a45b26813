"""Which errors of the network are the peer's, and which are our own."""

import errno
import os
import socket

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
