"""ntp against a time server of these tests, which can be told to be wrong in each way."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.probes.kinds.ntp import PACKET, UNIX_IN_NTP
from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.datagrams import answering_datagrams

Answers = Callable[[bytes], list[bytes]]


def stamp(unix: float) -> tuple[int, int]:
    """Seconds of NTP's era, and their fraction (RFC 5905 §6)."""
    seconds = unix + UNIX_IN_NTP
    return int(seconds) % 2**32, int(seconds % 1 * 2**32)


def answer(
    question: bytes,
    *,
    ahead: float = 0,
    leap: int = 0,
    version: int = 4,
    mode: int = 4,
    stratum: int = 2,
    reference: bytes = b"\x0a\0\0\x01",
    origin: bytes | None = None,
    is_timeless: bool = False,
    takes: float = 0,
) -> bytes:
    """A server's packet (RFC 5905 §7.3) by a clock that is ``ahead``."""
    now = time.time() + ahead
    received, sent = ((0, 0), (0, 0)) if is_timeless else (stamp(now), stamp(now + takes))
    first = leap << 6 | version << 3 | mode
    head = PACKET.pack(first, stratum, 6, -20, 655, 655, int.from_bytes(reference, "big"), *[0] * 4, *received, *sent)
    return head[:24] + (origin or question[40:48]) + head[32:]


@asynccontextmanager
async def time_server(behave: Answers) -> AsyncIterator[dict[str, Any]]:
    """Answers each question so; the settings to ask it."""

    async with answering_datagrams(behave) as port:
        yield {"host": "127.0.0.1", "port": port}


@pytest.mark.parametrize("ahead", [0, 3.25, -3.25, 86_400])
async def test_offset_is_told_either_way(ahead: float, ask: Asked) -> None:
    """As a measure without sign, and with it as a fact."""
    async with time_server(lambda question: [answer(question, ahead=ahead)]) as server:
        seen = await ask("ntp", server)
    assert (seen.outcome, seen.failure) == ("ok", None)
    assert seen.measures["offset_seconds"] == pytest.approx(abs(ahead), abs=0.5)
    assert float(seen.facts["offset"]) == pytest.approx(ahead, abs=0.5)
    assert seen.measures["stratum"] == 2
    assert seen.measures["root_distance_seconds"] == pytest.approx(0.015, abs=0.001)
    assert seen.facts["reference"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("wrong", "failure"),
    [
        ({"leap": 3}, "unsynchronized"),
        ({"stratum": 16}, "unsynchronized"),
        ({"stratum": 0, "reference": b"RATE"}, "kiss_of_death"),
        ({"version": 2}, "protocol"),
        ({"is_timeless": True}, "protocol"),
        ({"takes": -5.0}, "protocol"),
        ({"takes": 5.0}, "protocol"),
    ],
)
async def test_server_that_cannot_tell_the_time_is_told(wrong: dict[str, Any], failure: str, ask: Asked) -> None:
    """By what it says of itself, or by times that contradict each other."""
    async with time_server(lambda question: [answer(question, **wrong)]) as server:
        seen = await ask("ntp", server)
    assert (seen.outcome, seen.failure) == ("failed", failure), seen


async def test_packets_that_answer_something_else_are_passed_over(ask: Asked) -> None:
    """Forged before the right one: without our cookie, in a client's mode, too short."""

    def forged_first(question: bytes) -> list[bytes]:
        return [
            answer(question, ahead=1000, origin=bytes(8)),
            answer(question, ahead=1000, mode=3),
            b"short",
            answer(question, ahead=2),
        ]

    async with time_server(forged_first) as server:
        seen = await ask("ntp", server)
    assert seen.measures["offset_seconds"] == pytest.approx(2, abs=0.5)


async def test_question_tells_nothing_of_us(ask: Asked) -> None:
    """A client's packet of version 4 with no time of ours in it, and another cookie each time."""
    heard: list[bytes] = []

    def keep(question: bytes) -> list[bytes]:
        heard.append(question)
        return [answer(question)]

    async with time_server(keep) as server:
        await ask("ntp", server)
        await ask("ntp", server)
    assert {packet[:40] for packet in heard} == {b"\x23" + bytes(39)}
    assert heard[0] != heard[1]
