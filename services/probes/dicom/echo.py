"""C-ECHO, from the name look-up to the release, with the time each phase took (PS3.7 §9.1.5)."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from services.probes.dicom import pdu
from services.probes.dicom.association import connect, resolve
from services.probes.dicom.domain import (
    EchoEnded,
    EchoResult,
    Phase,
    answered,
    not_released,
    timed_out,
)
from services.probes.dicom.parameters import Peer


async def echo(node: Peer, calling_ae_title: str, timeout: float) -> EchoResult:
    """Verify that the node answers a C-ECHO; return within `timeout` seconds, whatever it does.

    When this returns or is cancelled, the connection is closed. Raises ValueError only for an AE title that can't be
    sent (PS3.5 §6.2: 1 to 16 characters, no backslash, no control characters).
    """
    request = pdu.associate_request(node.ae_title, calling_ae_title)
    stopwatch = _Stopwatch()
    try:
        async with asyncio.timeout(timeout):
            result = await _verify(node, request, stopwatch)
    except EchoEnded as end:
        result = not_released(end.result.detail) if stopwatch.phase == "release" else end.result
    except TimeoutError:
        result = timed_out(stopwatch.phase, timeout)
    return replace(result, phases=stopwatch.phases)


async def _verify(node: Peer, request: bytes, stopwatch: "_Stopwatch") -> EchoResult:
    with stopwatch.time("dns"):
        addresses = await resolve(node)
    with stopwatch.time("tcp"):
        association = await connect(addresses, node.port)
    try:
        with stopwatch.time("association"):
            await association.negotiate(request)
        with stopwatch.time("dimse"):
            result = answered(await association.verify())
        if result.outcome == "ok":
            with stopwatch.time("release"):
                await association.release()
        return result
    finally:
        await association.close()


class _Stopwatch:
    def __init__(self) -> None:
        self.phases: dict[Phase, float] = {}
        self.phase: Phase = "dns"

    @contextmanager
    def time(self, phase: Phase) -> Iterator[None]:
        self.phase = phase
        start = time.perf_counter()
        try:
            yield
        finally:
            self.phases[phase] = (time.perf_counter() - start) * 1000
