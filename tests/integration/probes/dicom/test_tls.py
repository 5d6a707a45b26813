"""TLS after PS3.15 B.12, with the peers of hospitals both ways, and with peers whose TLS is not in order."""

import asyncio
import socket
import ssl
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from pydicom.uid import CTImageStorage

from demo.images import make_study
from services.probes.dicom import Context, DicomFailure, FailureClass, Peer, Tls, associate, echo, listen
from services.probes.dicom.dimse import VERIFICATION
from tests.integration.probes.dicom import peers
from tests.integration.probes.dicom.peers import Behaviour, answering, listening
from tests.integration.probes.dicom.watch import leaving_nothing
from tests.news import WAIT_SECONDS
from tests.parts.certificates import Authority, Certificate
from tests.parts.dcmtk import Storescp, tls_options
from tests.parts.process import find_program
from tests.parts.pynetdicom_archive import PynetdicomArchive

TIMEOUT = 60.0
SHORT_TIMEOUT = 0.5
Loops = Callable[[], asyncio.AbstractEventLoop]
ON_BOTH_LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Certificate:
    return authority.issue("server")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Tls:
    own = authority.issue("client")
    return Tls(ca_file=str(own.ca), certificate=str(own.chain), key=str(own.key))


def context_of(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@contextmanager
def secured(context: ssl.SSLContext, tls: Tls) -> Iterator[Peer]:
    """A peer that completes the handshake of one connection where it can, and says nothing."""

    def serve() -> None:
        plain, _ = listener.accept()
        with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            while connection.recv(1_000):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield Peer("127.0.0.1", listener.getsockname()[1], "HOSTILE", tls)
        serving.join()


def failure_with(loop_factory: Loops, context: ssl.SSLContext, tls: Tls) -> FailureClass | None:
    async def run() -> FailureClass | None:
        async with leaving_nothing():
            with secured(context, tls) as peer:
                return (await echo(peer, "TESTS", TIMEOUT)).failure

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(run())


@ON_BOTH_LOOPS
def test_an_expired_certificate_is_told(authority: Authority, client: Tls, loop_factory: Loops) -> None:
    context = context_of(authority.issue("expired", is_expired=True))
    assert failure_with(loop_factory, context, client) == "tls_expired"


@ON_BOTH_LOOPS
def test_a_self_signed_certificate_is_told(authority: Authority, client: Tls, loop_factory: Loops) -> None:
    context = context_of(authority.issue("self-signed", is_self_signed=True))
    assert failure_with(loop_factory, context, client) == "tls_untrusted"


@ON_BOTH_LOOPS
def test_a_certificate_of_an_unknown_authority_is_told(client: Tls, tmp_path: Path, loop_factory: Loops) -> None:
    context = context_of(Authority(tmp_path).issue("stranger"))
    assert failure_with(loop_factory, context, client) == "tls_untrusted"


@ON_BOTH_LOOPS
def test_a_certificate_of_another_name_is_told(authority: Authority, client: Tls, loop_factory: Loops) -> None:
    context = context_of(authority.issue("elsewhere", "127.0.0.2"))
    assert failure_with(loop_factory, context, client) == "tls_name"


@ON_BOTH_LOOPS
def test_a_peer_that_speaks_only_an_old_version_is_told(server: Certificate, client: Tls, loop_factory: Loops) -> None:
    context = context_of(server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    assert failure_with(loop_factory, context, client) == "tls_version"


@ON_BOTH_LOOPS
def test_a_peer_below_the_minimum_is_told(server: Certificate, client: Tls, loop_factory: Loops) -> None:
    context = context_of(server)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    strict = Tls(client.ca_file, client.certificate, client.key, minimum="1.3")
    assert failure_with(loop_factory, context, strict) == "tls_version"


@ON_BOTH_LOOPS
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_peer_that_misses_our_certificate_is_told(
    server: Certificate, loop_factory: Loops, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 the peer says so only after the handshake, and a reset may overtake what it says."""
    context = context_of(server)
    context.load_verify_locations(server.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    expected = (
        {"tls", "tls_client_certificate"} if version == ssl.TLSVersion.TLSv1_2 else {"tls_client_certificate", "closed"}
    )
    assert failure_with(loop_factory, context, Tls(ca_file=str(server.ca))) in expected


async def say(writer: asyncio.StreamWriter, data: bytes, reader: asyncio.StreamReader) -> None:
    await reader.read(1)
    writer.write(data)
    await reader.read()


HANDSHAKES: dict[str, tuple[bytes, FailureClass]] = {
    "says nothing": (b"", "timeout_tls"),
    "begins an answer": (bytes.fromhex("160303004a"), "timeout_tls"),
    "speaks DICOM in plain": (peers.abort(0, 0), "tls"),
    "speaks HTTP": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "tls"),
}


@ON_BOTH_LOOPS
@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_that_is_not_finished_ends_in_time(client: Tls, name: str, loop_factory: Loops) -> None:
    data, expected = HANDSHAKES[name]

    async def run() -> tuple[FailureClass | None, list[str]]:
        async with leaving_nothing(), listening(lambda reader, writer: say(writer, data, reader)) as peer:
            timeout = SHORT_TIMEOUT if expected == "timeout_tls" else TIMEOUT
            result = await echo(Peer(peer.host, peer.port, "HOSTILE", client), "TESTS", timeout)
            return result.failure, list(result.phases)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run()) == (expected, ["dns", "tcp", "tls"])


@ON_BOTH_LOOPS
@pytest.mark.parametrize("behave", [peers.close_at_once, peers.reset], ids=["closes", "resets"])
def test_a_peer_that_leaves_instead_of_a_handshake(client: Tls, behave: Behaviour, loop_factory: Loops) -> None:
    async def run() -> FailureClass | None:
        async with leaving_nothing(), listening(behave) as peer:
            return (await echo(Peer(peer.host, peer.port, "HOSTILE", client), "TESTS", TIMEOUT)).failure

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run()) == "closed"


async def test_a_cancelled_handshake_leaves_nothing(client: Tls) -> None:
    async with leaving_nothing(), listening(answering()) as peer:
        task = asyncio.create_task(echo(Peer(peer.host, peer.port, "HOSTILE", client), "TESTS", TIMEOUT))
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_files_that_can_not_be_used_are_our_own_fault(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.pem"):
        await echo(Peer("127.0.0.1", 104, "PACS", Tls(ca_file=str(tmp_path / "no.pem"))), "TESTS", TIMEOUT)


@ON_BOTH_LOOPS
def test_pynetdicom_and_dcmtk_are_stored_to_with_certificates_both_ways(
    server: Certificate, client: Tls, tmp_path: Path, loop_factory: Loops
) -> None:
    images = make_study("tls", datetime(2026, 3, 1, tzinfo=UTC), images=2)

    async def store(port: int, ae_title: str) -> list[str]:
        async with (
            leaving_nothing(),
            associate(
                Peer("127.0.0.1", port, ae_title, client), [Context(CTImageStorage)], timeout=WAIT_SECONDS
            ) as assoc,
        ):
            assert [await assoc.store(image) for image in images] == [0x0000] * 2
        return list(assoc.phases)

    with (
        PynetdicomArchive(tmp_path / "archive", certificate=server) as archive,
        Storescp(tmp_path / "receiver", certificate=server) as receiver,
        asyncio.Runner(loop_factory=loop_factory) as runner,
    ):
        for peer in (archive, receiver):
            phases = runner.run(store(peer.port, peer.ae_title))
            assert phases == ["dns", "tcp", "tls", "association", "dimse", "release"]
    assert len(list(receiver.storage.iterdir())) == 2


@ON_BOTH_LOOPS
def test_dcmtk_stores_to_our_listener_and_strangers_are_kept_out(
    authority: Authority, server: Certificate, tmp_path: Path, loop_factory: Loops
) -> None:
    image = make_study("tls", datetime(2026, 3, 1, tzinfo=UTC), images=1)[0]
    image.save_as(tmp_path / "image.dcm", enforce_file_format=True)
    ours = Tls(ca_file=str(authority.ca), certificate=str(server.chain), key=str(server.key))
    storescu = [find_program("storescu", package="dcmtk"), *tls_options(authority.issue("modality"))]

    async def receive() -> list[bytes]:
        async with listen("STEWARD", tls=ours, timeout=WAIT_SECONDS) as scp:
            called = [*storescu, "-aec", "STEWARD", "127.0.0.1", str(scp.port), str(tmp_path / "image.dcm")]
            await asyncio.to_thread(subprocess.run, called, check=True, timeout=WAIT_SECONDS)
            peer = Peer("127.0.0.1", scp.port, "STEWARD", Tls(ca_file=str(authority.ca)))
            with pytest.raises(DicomFailure) as refused:
                async with associate(peer, [Context(VERIFICATION)], timeout=WAIT_SECONDS):
                    pass
            assert refused.value.failure in ("tls_client_certificate", "closed")
        return [received.encoded.decoded().PixelData async for received in scp.received()]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(receive()) == [image.PixelData]


async def test_both_sides_of_ours_speak_tls(server: Certificate, client: Tls) -> None:
    ours = Tls(certificate=str(server.chain), key=str(server.key))
    async with leaving_nothing(), listen("STEWARD", tls=ours) as scp:
        result = await echo(Peer("127.0.0.1", scp.port, "STEWARD", client), "TESTS", TIMEOUT)
    assert result.outcome == "ok"
    assert list(scp.failures) == []
