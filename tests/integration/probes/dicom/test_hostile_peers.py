"""Whatever a peer does, one echo ends within its time, with the right class, and leaves no socket and no task."""

import asyncio
import os
import resource
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
import uvloop

from services.probes.dicom import EchoResult, Peer, echo
from services.probes.dicom.domain import FailureClass, Outcome, Rejection
from tests.integration.probes.dicom import peers
from tests.integration.probes.dicom.peers import (
    RELEASE_REPLY,
    Behaviour,
    abort,
    acceptance,
    answering,
    answering_then_closing,
    dripping,
    echo_response,
    fragment,
    listening,
    pdu,
    rejection,
)
from tests.integration.probes.dicom.watch import Patience, leaving_nothing
from tests.parts.process import refusing_port

TIMEOUT = 60.0
SHORT_TIMEOUT = 5.0
SLACK = 4.0

OK = fragment(echo_response())
HALVES = fragment(echo_response()[:30], is_last=False) + fragment(echo_response()[30:])

T = TypeVar("T")
Expected = tuple[Outcome, FailureClass | None]

CASES: dict[str, tuple[Behaviour, Expected]] = {
    "answers as it should": (answering(acceptance(), OK, RELEASE_REPLY), ("ok", None)),
    "answers in fragments": (answering(acceptance(), HALVES, RELEASE_REPLY), ("ok", None)),
    "knows no maximum length": (answering(acceptance(maximum_length=0), OK, RELEASE_REPLY), ("ok", None)),
    "says nothing": (answering(), ("failed", "timeout_association")),
    "drips": (dripping(acceptance(), SHORT_TIMEOUT / 20), ("failed", "timeout_association")),
    "drips fast, then says nothing": (dripping(acceptance(), 0), ("failed", "timeout_dimse")),
    "speaks HTTP": (answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("failed", "protocol")),
    "sends zeros": (answering(bytes(1000)), ("failed", "protocol")),
    "sends a PDU of 4 GiB": (answering(b"\x02\x00\xff\xff\xff\xff"), ("failed", "protocol")),
    "sends an empty acceptance": (answering(pdu(0x02, b"")), ("failed", "protocol")),
    "sends an empty rejection": (answering(pdu(0x03, b"")), ("failed", "protocol")),
    "sends an empty abort": (answering(pdu(0x07, b"")), ("failed", "protocol")),
    "sends a truncated item": (answering(pdu(0x02, acceptance()[6:-3])), ("failed", "protocol")),
    "requests an association itself": (answering(pdu(0x01, bytes(68))), ("failed", "protocol")),
    "sends data before it accepts": (answering(OK), ("failed", "protocol")),
    "releases before it accepts": (answering(pdu(0x05, bytes(4))), ("failed", "protocol")),
    "closes in the middle of a PDU": (answering_then_closing(acceptance()[:40]), ("failed", "closed")),
    "closes in the middle of a header": (answering_then_closing(acceptance()[:3]), ("failed", "closed")),
    "closes at once": (peers.close_at_once, ("failed", "closed")),
    "resets": (peers.reset, ("failed", "closed")),
    "aborts as user": (answering(abort(0, 0)), ("failed", "aborted")),
    "aborts as provider": (answering(abort(2, 6)), ("failed", "aborted")),
    "takes too small PDUs": (answering(acceptance(maximum_length=6)), ("failed", "protocol")),
    "answers on no context": (answering(acceptance(context_id=3)), ("failed", "protocol")),
    "accepts and never answers the echo": (answering(acceptance()), ("failed", "timeout_dimse")),
    "closes on the echo": (answering_then_closing(acceptance(), b""), ("failed", "closed")),
    "aborts on the echo": (answering(acceptance(), abort(2, 1)), ("failed", "aborted")),
    "accepts twice": (answering(acceptance(), acceptance()), ("failed", "protocol")),
    "answers another message": (answering(acceptance(), fragment(echo_response(message_id=7))), ("failed", "protocol")),
    "answers another command": (
        answering(acceptance(), fragment(echo_response(command_field=0x8001))),
        ("failed", "protocol"),
    ),
    "answers an unknown command": (
        answering(acceptance(), fragment(echo_response(command_field=0x4242))),
        ("failed", "protocol"),
    ),
    "answers on another context": (
        answering(acceptance(), fragment(echo_response(), context_id=5)),
        ("failed", "protocol"),
    ),
    "answers without a status": (answering(acceptance(), fragment(echo_response()[:-10])), ("failed", "protocol")),
    "answers garbage": (answering(acceptance(), fragment(b"\xff" * 64)), ("failed", "protocol")),
    "answers without an end": (peers.talk_without_end, ("failed", "protocol")),
    "answers a failure": (answering(acceptance(), fragment(echo_response(status=0x0122))), ("failed", "dimse_status")),
    "never answers the release": (answering(acceptance(), OK), ("degraded", "release")),
    "closes on the release": (answering_then_closing(acceptance(), OK, b""), ("degraded", "release")),
    "aborts on the release": (answering(acceptance(), OK, abort(0, 0)), ("degraded", "release")),
}

SILENT = {
    "says nothing",
    "drips",
    "drips fast, then says nothing",
    "accepts and never answers the echo",
    "never answers the release",
}

Loops = Callable[[], asyncio.AbstractEventLoop]
ON_BOTH_LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)

REASONS = {1: range(1, 11), 2: range(1, 3), 3: range(8)}
REJECTIONS = [(result, source, reason) for result in (1, 2) for source in REASONS for reason in REASONS[source]]


async def result_of(behave: Behaviour, timeout: float = TIMEOUT) -> EchoResult:
    """The result of an echo to such a peer, once it is certain that it came in time and left nothing."""
    async with leaving_nothing(), listening(behave) as peer:
        return await result_in_time(peer, timeout)


async def result_in_time(peer: Peer, timeout: float) -> EchoResult:
    """The result of an echo, which was not waited for longer than its timeout."""
    with Patience() as patience:
        result = await echo(peer, "TESTS", timeout)
        assert patience.seconds < timeout + SLACK
    return result


async def results_of_silent_peers() -> dict[str, EchoResult]:
    """What comes of those peers that take the whole of a timeout, all of them at the same time."""

    async def ask(name: str) -> tuple[str, EchoResult]:
        async with listening(CASES[name][0]) as peer:
            return name, await result_in_time(peer, SHORT_TIMEOUT)

    async with leaving_nothing():
        return dict(await asyncio.gather(*(ask(name) for name in sorted(SILENT))))


def run_on(loop_factory: Loops, echoing: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(echoing)


@ON_BOTH_LOOPS
@pytest.mark.parametrize("name", [name for name in CASES if name not in SILENT])
def test_a_peer_that(name: str, loop_factory: Loops) -> None:
    """…does what the case's name says ends as the case says, on both event loops that Steward runs on."""
    behave, expected = CASES[name]
    assert_is_told(run_on(loop_factory, result_of(behave)), expected)


@ON_BOTH_LOOPS
def test_a_peer_that_falls_silent_is_given_up_where_it_did(loop_factory: Loops) -> None:
    """At the end of the timeout, which is long enough for a busy machine to come that far."""
    for name, result in run_on(loop_factory, results_of_silent_peers()).items():
        assert_is_told(result, CASES[name][1])


def assert_is_told(result: EchoResult, expected: Expected) -> None:
    """The result is of that class, and says so in a sentence."""
    assert (result.outcome, result.failure) == expected
    assert result.detail.endswith(".")


@pytest.mark.parametrize(("result", "source", "reason"), REJECTIONS)
async def test_every_rejection_of_the_standard_is_told_apart(result: int, source: int, reason: int) -> None:
    echoed = await result_of(answering(rejection(result, source, reason)))
    assert echoed.rejection == Rejection(result, source, reason)
    if (source, reason) in {(1, 3), (1, 7)}:
        assert (echoed.outcome, echoed.failure) == ("failed", "rejected_ae_title")
    elif (source, reason) in {(3, 1), (3, 2)} or result == 2:
        assert (echoed.outcome, echoed.failure) == ("degraded", "rejected_busy")
    else:
        assert (echoed.outcome, echoed.failure) == ("failed", "rejected")


@pytest.mark.parametrize("context_result", [1, 2, 3, 4, 9])
async def test_a_refused_context_is_not_an_answer(context_result: int) -> None:
    result = await result_of(answering(acceptance(context_result=context_result)))
    assert (result.outcome, result.failure) == ("failed", "context_rejected")


@pytest.mark.parametrize("status", [0x0122, 0x0210, 0x0211, 0x0212, 0xC000])
async def test_a_status_is_printed_as_the_standard_prints_it(status: int) -> None:
    result = await result_of(answering(acceptance(), fragment(echo_response(status=status))))
    assert result.dimse_status == f"0x{status:04X}"


async def test_a_success_has_a_time_for_each_phase() -> None:
    result = await result_of(answering(acceptance(), OK, RELEASE_REPLY))
    assert result.dimse_status == "0x0000"
    assert list(result.phases) == ["dns", "tcp", "association", "dimse", "release"]
    assert all(0 <= milliseconds < TIMEOUT * 1000 for milliseconds in result.phases.values())


async def test_a_failure_tells_how_long_its_phase_took() -> None:
    start = time.perf_counter()
    result = await result_of(answering(acceptance()), SHORT_TIMEOUT)
    took = (time.perf_counter() - start) * 1000
    assert list(result.phases) == ["dns", "tcp", "association", "dimse"]
    assert SHORT_TIMEOUT * 990 < sum(result.phases.values()) <= took


async def test_a_false_length_is_refused_without_waiting_for_it() -> None:
    """To wait for 4 GiB from a peer that says nothing more could only end with the timeout."""
    result = await result_of(answering(b"\x02\x00\xff\xff\xff\xff"))
    assert result.failure == "protocol"


async def test_a_peer_that_stays_silent_on_an_association_is_told_that_it_is_aborted() -> None:
    rest = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peers.read_pdu(reader)
        writer.write(acceptance())
        await peers.read_pdu(reader)
        rest.set_result(await reader.read())

    async with listening(listen) as peer:
        await echo(peer, "TESTS", SHORT_TIMEOUT)
        assert await rest == abort(0, 0)


@pytest.mark.parametrize(
    "behave",
    [answering(), answering(acceptance()), answering(acceptance(), OK)],
    ids=["association", "dimse", "release"],
)
async def test_a_cancelled_echo_closes_its_connection(behave: Behaviour) -> None:
    waiting = asyncio.Event()

    async def signal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting.set()
        await behave(reader, writer)

    async with leaving_nothing(), listening(signal) as peer:
        task = asyncio.create_task(echo(peer, "TESTS", 30))
        await waiting.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_hundreds_of_echoes_at_once_leave_nothing() -> None:
    async with leaving_nothing(), listening(answering(acceptance(), OK, RELEASE_REPLY)) as peer:
        results = await asyncio.gather(*(echo(peer, "TESTS", TIMEOUT) for _ in range(200)))
    assert {result.outcome for result in results} == {"ok"}


async def test_a_closed_port_is_refused() -> None:
    with refusing_port() as port:
        result = await echo(Peer("127.0.0.1", port, "NOBODY"), "TESTS", TIMEOUT)
    assert (result.outcome, result.failure) == ("failed", "refused")


async def test_a_full_backlog_is_no_connection() -> None:
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        async with leaving_nothing():
            result = await echo(Peer("127.0.0.1", server.getsockname()[1], "FULL"), "TESTS", SHORT_TIMEOUT)
    assert (result.outcome, result.failure) == ("failed", "timeout_connect")


async def test_a_machine_without_file_descriptors_blames_itself() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    async with listening(answering()) as peer:
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 64, hard))
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            result = await echo(peer, "TESTS", TIMEOUT)
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (result.outcome, result.failure) == ("probe_error", "local")


async def test_a_host_name_is_looked_up_and_each_of_its_addresses_tried() -> None:
    async with listening(answering(acceptance(), OK, RELEASE_REPLY)) as peer:
        result = await echo(Peer("localhost", peer.port, peer.ae_title), "TESTS", TIMEOUT)
    assert result.outcome == "ok"


async def test_an_impossible_host_name_has_no_address() -> None:
    result = await echo(Peer("a" * 64 + ".example", 104, "NOBODY"), "TESTS", TIMEOUT)
    assert (result.outcome, result.failure) == ("failed", "dns")


@pytest.mark.parametrize("title", ["", "   ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "LINE\nBREAK"])
async def test_an_ae_title_that_can_not_be_sent_is_refused_before_anything_is(title: str) -> None:
    with pytest.raises(ValueError, match="AE Title"):
        await echo(Peer("127.0.0.1", 104, title), "TESTS", TIMEOUT)
