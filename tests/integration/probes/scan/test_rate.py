"""A scan is never faster than was said, whatever the addresses do to it."""

import asyncio

import pytest

from services.probes.scan import sweep as sweeping
from services.probes.scan.domain import Range
from services.probes.scan.sweep import sweep
from tests.integration.probes.dicom.peers import answering, listening
from tests.parts.process import free_port

TIMEOUT, RATE, CLOSED = 0.5, 20, 6


async def test_what_silent_addresses_have_held_up_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """When they are given up, the others are asked one after the other, and not all at once."""
    monkeypatch.setattr(sweeping, "AT_ONCE", 2)
    loop = asyncio.get_running_loop()
    async with listening(answering()) as mute, listening(answering()) as other:
        asked = Range.parse("127.0.0.1/32", [mute.port, other.port, *(free_port() for _ in range(CLOSED))], RATE)
        began = loop.time()
        found = [one async for one in sweep(asked, "X", "Y", TIMEOUT, lambda _: None)]
    assert [one.speaks for one in found] == ["speaks no DICOM"] * 2
    assert loop.time() - began >= TIMEOUT + (CLOSED - 1) / RATE
