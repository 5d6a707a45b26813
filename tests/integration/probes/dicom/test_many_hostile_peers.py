"""Thousands of hostile peers leave no socket, no task and no memory, and none of them takes the others' time.

``STEWARD_HOSTILE_RUNS`` says how many there are.
"""

import asyncio
import gc
import os
import selectors
import struct
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

import psutil
import pytest
import uvloop

from services.probes.dicom import Calling, Context, DicomFailure, Limits, Peer, associate, echo, listen
from services.probes.dicom.dimse import VERIFICATION
from tests.integration.probes.dicom import peers
from tests.integration.probes.dicom.peers import (
    RELEASE_REPLY,
    Behaviour,
    acceptance,
    answering,
    data_fragment,
    echo_response,
    fragment,
    listening,
    pdu,
    repeating,
)
from tests.integration.probes.dicom.test_hostile_archives import CASES, LIMITS, PENDING, USES, finding
from tests.integration.probes.dicom.watch import leaving_nothing

RUNS = int(os.environ.get("STEWARD_HOSTILE_RUNS", "1000"))
AT_ONCE = 20
MOST_MEMORY = 8 * 2**20
MOST_MILLISECONDS = 5.0
TURNS_OF_AN_ECHO = 13

# Peers that write all the time would make these runs long, by their own work.
BUSY = ("without end", "too long", "empty fragments")
QUICK = [name for name, case in CASES.items() if case[0] != "store" and not any(busy in name for busy in BUSY)]


async def use_once(name: str, peer: Peer, random: Random) -> None:
    """Uses the peer; one time in five it is cancelled on the way."""
    use, contexts = USES[CASES[name][0]]

    async def run() -> None:
        async with associate(peer, contexts, timeout=60, limits=LIMITS) as assoc:
            await use(assoc)

    task = asyncio.create_task(run())
    if random.random() < 0.2:
        for _ in range(random.randrange(20)):
            await asyncio.sleep(0)
        task.cancel()
    with suppress(DicomFailure, asyncio.CancelledError):
        await task


async def use_many(count: int, seed: int) -> None:
    random = Random(seed)
    for start in range(0, count, AT_ONCE):
        name = QUICK[start // AT_ONCE % len(QUICK)]
        async with listening(CASES[name][1]) as peer:
            await asyncio.gather(*(use_once(name, peer, random) for _ in range(min(AT_ONCE, count - start))))


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_nothing_is_left_of_them(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run() -> int:
        await use_many(len(QUICK) * AT_ONCE, seed=1)
        gc.collect()
        before = psutil.Process().memory_info().rss
        async with leaving_nothing():
            await use_many(RUNS, seed=2)
        gc.collect()
        return int(psutil.Process().memory_info().rss - before)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run()) < MOST_MEMORY


@contextmanager
def elsewhere(behave: Behaviour) -> Iterator[Peer]:
    """The peer on an event loop of its own thread, so that its work is not counted."""
    ready, found = threading.Event(), []

    async def serve() -> None:
        async with listening(behave) as peer:
            found.append((peer, asyncio.get_running_loop(), done := asyncio.Event()))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    peer, loop, done = found[0]
    try:
        yield peer
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def longest_turns(doing: Awaitable[object]) -> float:
    """Milliseconds of processor time that any thirteen turns of the event loop in a row take meanwhile, at most."""
    task, longest = asyncio.ensure_future(doing), 0.0
    turns: deque[float] = deque(maxlen=TURNS_OF_AN_ECHO)
    while not task.done():
        began = time.thread_time()
        await asyncio.sleep(0)
        turns.append(time.thread_time() - began)
        longest = max(longest, sum(turns))
    with suppress(DicomFailure):
        await task
    return longest * 1000


def least_longest_turns(doing: Callable[[], Awaitable[object]]) -> float:
    """``longest_turns`` of the best of five runs, without the garbage of the tests before, which production has not."""
    gc.collect()
    gc.freeze()
    try:
        return min(uvloop.run(longest_turns(doing())) for _ in range(5))
    finally:
        gc.unfreeze()


async def search(peer: Peer) -> None:
    async with associate(peer, USES["find"][1], timeout=30, limits=Limits(matches=2_000)) as assoc:
        await finding(assoc)


def tiny_values(flag: int) -> bytes:
    """One PDU full of fragments of one byte."""
    return pdu(0x04, struct.pack(">IBBB", 3, 1, flag, 0) * 18_000)


SMALL_ELEMENTS = b"".join(struct.pack("<HHI", 0x0008, element, 0) for element in range(1, 8_000))
HEAVY: dict[str, Behaviour] = {
    "accepts with thousands of items": answering(pdu(0x02, b"\0\1" + bytes(66) + bytes.fromhex("99000000") * 16_000)),
    "sends thousands of values in a PDU": repeating(PENDING, tiny_values(0)),
    "sends commands of one byte at a time": repeating(b"", tiny_values(1)),
    "sends commands of thousands of elements": answering(acceptance(), b"", fragment(SMALL_ELEMENTS[:16_000])),
    "sends a match of thousands of elements": answering(
        acceptance(), b"", PENDING + data_fragment(SMALL_ELEMENTS[:16_000])
    ),
    "matches without end": CASES["matches without end"][1],
    "talks without end": peers.talk_without_end,
}


@pytest.mark.parametrize("name", HEAVY)
def test_none_moves_the_timing_of_others_by_more_than_5_ms(name: str) -> None:
    """In all the turns of the loop together that an echo takes, in the best of five runs.

    What counts is processor time on the loop's thread, since that is what another probe there waits for.
    """
    with elsewhere(HEAVY[name]) as peer:
        assert least_longest_turns(lambda: search(peer)) < MOST_MILLISECONDS


class CountingSelector(selectors.SelectSelector):
    """Counts how often its event loop goes round, which it does for events alone."""

    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        return super().select(timeout)


def test_echo_takes_thirteen_turns_of_the_loop_at_most() -> None:
    """So a peer that holds the loop for a thirteenth of 5 ms each turn moves an echo's timing by no more than that."""
    replies = answering(acceptance(), fragment(echo_response()), RELEASE_REPLY)
    counting = CountingSelector()

    async def turns(peer: Peer) -> int:
        before = counting.turns
        assert (await echo(peer, "TESTS", 60)).outcome == "ok"
        return counting.turns - before

    with (
        elsewhere(replies) as peer,
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(counting)) as runner,
    ):
        assert min(runner.run(turns(peer)) for _ in range(5)) <= TURNS_OF_AN_ECHO


CALLS: dict[str, bytes] = {
    "nothing": b"",
    "garbage": b"GET / HTTP/1.1\r\n\r\n",
    "a false length": b"\x01\x00\xff\xff\xff\xff",
    "an empty request": pdu(0x01, b""),
    "data before a request": data_fragment(b"xx"),
    "an acceptance": acceptance(),
    "a release": pdu(0x05, bytes(4)),
    "an abort": peers.abort(0, 0),
    "half a request": pdu(0x01, bytes(68))[:30],
}


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_callers_of_every_kind_leave_the_listener_as_it_was(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """…which meanwhile answers others, and at its end has closed what they left open."""

    async def call(port: int, data: bytes) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        return writer

    async def run() -> list[str]:
        async with leaving_nothing():
            async with listen("STEWARD", timeout=60, associations=200) as scp:
                left = [await call(scp.port, data) for data in CALLS.values() for _ in range(5)]
                result = await echo(Peer("127.0.0.1", scp.port, "STEWARD"), "TESTS", 60)
            for writer in left:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        return [result.outcome, *sorted({failure.failure for failure in scp.failures})]

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(run()) == ["ok", "aborted", "protocol"]


async def test_a_listener_tells_why_it_rejects() -> None:
    async with leaving_nothing(), listen("STEWARD", callers=["KNOWN"], associations=1) as scp:

        async def rejected(title: str, called: str = "STEWARD") -> tuple[str, int, int]:
            result = await echo(Peer("127.0.0.1", scp.port, called), title, 60)
            assert result.rejection is not None
            return str(result.failure), result.rejection.source, result.rejection.reason

        assert await rejected("UNKNOWN") == ("rejected_ae_title", 1, 3)
        assert await rejected("KNOWN", "SOMEBODY") == ("rejected_ae_title", 1, 7)
        peer = Peer("127.0.0.1", scp.port, "STEWARD")
        async with associate(peer, [Context(VERIFICATION), Context("1.2.3")], Calling("KNOWN")) as assoc:
            assert [context.result for context in assoc.contexts] == [0, 3]
            assert await rejected("KNOWN") == ("rejected_busy", 3, 2)
