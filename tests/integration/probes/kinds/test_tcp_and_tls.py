"""tcp and tls against real sockets and handshakes."""

import asyncio
import shutil
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.probes.dicom import peers
from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.certs import minted
from tests.parts.certificates import Certificate

FACTS = {"tls_version", "cipher", "subject", "issuer", "names", "not_before", "not_after", "sha256", "chain"}


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A mail server's first line, in two pieces."""
    writer.write(b"22")
    await writer.drain()
    writer.write(b"0 mail.example.org\r\n")
    await reader.read()


@contextmanager
def speaking_tls(
    certificate: Certificate, newest: ssl.TLSVersion | None = None, client_ca: Path | None = None
) -> Iterator[int]:
    """A port that shakes hands with this certificate, by no newer version, and leaves; OpenSSL's own, in a thread."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        # Python says that nobody should use versions that old.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = newest or ssl.TLSVersion.MAXIMUM_SUPPORTED
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)

    def shake(connection: socket.socket) -> None:
        with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as inside:
            inside.recv(1)

    def serve() -> None:
        with suppress(OSError):
            while True:
                shake(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def trusted(ask: Asked, certificate: Certificate) -> str:
    """The certificate's authority, as a secret."""
    shutil.copy(certificate.ca, f"{ask.here.probe_secrets}/hospital-ca.pem")
    return "hospital-ca.pem"


async def test_port_that_takes_connections_is_ok(ask: Asked) -> None:
    """With the time that each phase took."""
    async with peers.listening(peers.answering()) as peer:
        seen = await ask("tcp", {"host": "localhost", "port": peer.port})
    assert (seen.outcome, seen.failure) == ("ok", None)
    assert set(seen.phases) == {"dns", "tcp"}


async def test_greeting_is_awaited_and_held_against_what_is_expected(ask: Asked) -> None:
    """In whatever pieces it comes."""
    async with peers.listening(greet) as peer:
        address = {"host": "127.0.0.1", "port": peer.port}
        assert (await ask("tcp", address | {"greeting": "220 mail"})).outcome == "ok"
        wrong = await ask("tcp", address | {"greeting": "SSH-2.0"}, 0.5)
    assert (wrong.outcome, wrong.failure) == ("failed", "timeout_answer")
    async with peers.listening(peers.answering_then_closing()) as peer:
        silent = await ask("tcp", {"host": "127.0.0.1", "port": peer.port, "greeting": "220"})
    assert silent.failure == "closed"


async def test_handshake_tells_what_the_peer_shows(ask: Asked, tmp_path: Path) -> None:
    """Version, cipher, names, chain, and the days that are left; phases and no failure."""
    certificate = minted(tmp_path / "good", ends=40)
    with speaking_tls(certificate) as port:
        seen = await ask("tls", {"host": "127.0.0.1", "port": port, "trust": trusted(ask, certificate)})
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert set(seen.facts) >= FACTS
    assert seen.facts["names"] == "127.0.0.1, pacs.example.org"
    assert seen.facts["chain"] == "CN=pacs ← CN=Hospital CA"
    assert seen.facts["tls_version"] == "TLSv1.3"
    assert 39.9 < seen.measures["expires_in_days"] <= 40
    assert seen.measures["chain_expires_in_days"] == seen.measures["expires_in_days"]
    assert set(seen.phases) == {"tcp", "tls"}


@pytest.mark.parametrize(
    ("wrong", "failure", "days"),
    [
        ({"starts": -400, "ends": -10}, "tls_expired", -10),
        ({"starts": 10, "ends": 90}, "tls_not_yet_valid", 90),
        ({"is_self_signed": True}, "tls_untrusted", 90),
        ({"host": "192.0.2.1"}, "tls_name", 90),
    ],
)
async def test_wrong_certificate_is_named_and_its_facts_are_told(
    wrong: dict[str, Any], failure: str, days: float, ask: Asked, tmp_path: Path
) -> None:
    """The check fails, and whoever repairs it sees the certificate."""
    certificate = minted(tmp_path / "wrong", **wrong)
    with speaking_tls(certificate) as port:
        settings = {"host": "127.0.0.1", "port": port, "trust": trusted(ask, certificate)}
        seen = await ask("tls", settings)
        unverified = await ask("tls", settings | {"verify": False})
    assert (seen.outcome, seen.failure) == ("failed", failure), seen
    assert set(seen.facts) >= FACTS
    assert seen.measures["expires_in_days"] == pytest.approx(days, abs=0.01)
    assert unverified.outcome == "ok"
    assert unverified.facts == seen.facts


async def test_unknown_authority_is_untrusted(ask: Asked, tmp_path: Path) -> None:
    """By default the system's authorities count, and they don't know the hospital's."""
    with speaking_tls(minted(tmp_path / "good")) as port:
        seen = await ask("tls", {"host": "127.0.0.1", "port": port})
    assert (seen.outcome, seen.failure) == ("failed", "tls_untrusted")
    assert seen.facts["issuer"] == "CN=Hospital CA"


async def test_server_name_is_asked_for_and_found(ask: Asked, tmp_path: Path) -> None:
    """A check of an address can hold the certificate against the name that users type."""
    certificate = minted(tmp_path / "named", host="192.0.2.1")
    with speaking_tls(certificate) as port:
        settings = {"host": "127.0.0.1", "port": port, "trust": trusted(ask, certificate)}
        assert (await ask("tls", settings | {"server_name": "pacs.example.org"})).outcome == "ok"
        assert (await ask("tls", settings | {"server_name": "ris.example.org"})).failure == "tls_name"


async def test_old_version_is_refused_and_told(ask: Asked, tmp_path: Path) -> None:
    """A peer from before TLS 1.2 is not spoken to; but what it shows is told."""
    certificate = minted(tmp_path / "old")
    with speaking_tls(certificate, newest=ssl.TLSVersion.TLSv1_1) as port:
        seen = await ask("tls", {"host": "127.0.0.1", "port": port, "trust": trusted(ask, certificate)})
    assert (seen.outcome, seen.failure) == ("failed", "tls_version"), seen
    assert seen.facts["tls_version"] in ("TLSv1", "TLSv1.1")


async def test_version_below_the_one_that_was_set_fails(ask: Asked, tmp_path: Path) -> None:
    """A site that asks for TLS 1.3 hears of a peer that speaks 1.2."""
    certificate = minted(tmp_path / "good")
    with speaking_tls(certificate, newest=ssl.TLSVersion.TLSv1_2) as port:
        settings = {"host": "127.0.0.1", "port": port, "trust": trusted(ask, certificate)}
        seen = await ask("tls", settings | {"minimum_version": "1.3"})
        assert (await ask("tls", settings)).outcome == "ok"
    assert (seen.outcome, seen.failure) == ("failed", "tls_version")


async def test_client_certificate_is_shown_where_it_is_wanted(ask: Asked, tmp_path: Path) -> None:
    """As DICOM nodes with TLS want it (PS3.15 B.12); without one, the word for it is told."""
    server, ours = minted(tmp_path / "server"), minted(tmp_path / "ours")
    for file, name in ((ours.chain, "probe.pem"), (ours.key, "probe-key.pem")):
        shutil.copy(file, f"{ask.here.probe_secrets}/{name}")
    with speaking_tls(server, newest=ssl.TLSVersion.TLSv1_2, client_ca=ours.ca) as port:
        settings = {"host": "127.0.0.1", "port": port, "trust": trusted(ask, server)}
        without = await ask("tls", settings)
        shown = await ask("tls", settings | {"client_certificate": "probe.pem", "client_key": "probe-key.pem"})
    assert (without.outcome, without.failure) == ("failed", "tls"), without
    assert "it wants a certificate of ours" in without.detail
    assert shown.outcome == "ok", shown


async def test_peer_without_tls_is_told(ask: Asked) -> None:
    """A port that speaks plain HTTP is no TLS of a wrong version."""
    async with peers.listening(greet) as peer:
        seen = await ask("tls", {"host": "127.0.0.1", "port": peer.port})
    assert (seen.outcome, seen.failure) == ("failed", "tls")
    assert "does not speak TLS" in seen.detail


async def test_unusable_trust_is_our_fault(ask: Asked) -> None:
    """A file that holds no certificates says nothing about the peer."""
    async with peers.listening(peers.answering()) as peer:
        seen = await ask("tls", {"host": "127.0.0.1", "port": peer.port, "trust": "word"})
    assert (seen.outcome, seen.failure) == ("probe_error", "settings")
