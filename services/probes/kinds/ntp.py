"""The kind ``ntp``: how far our clock and a time server's are apart, by SNTP (RFC 5905 §14)."""

import asyncio
import secrets
import socket
import struct
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.network import Host, Port, not_connected, resolve

PACKET = struct.Struct(">BBbb11I")
VERSION, CLIENT, SERVER = 4, 3, 4
UNSYNCHRONIZED = 3
LAST_STRATUM = 15
ERA = 2**32
UNIX_IN_NTP = 2_208_988_800
LARGEST_PACKET = 2048


class NtpSettings(BaseModel):
    """The time server."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"host": "ntp.north.example.org"}]})

    host: Host
    port: Port = Field(123, description="UDP port", examples=[123])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server's packet says. Times are seconds of the Unix epoch; ``origin`` is our own cookie back."""

    leap: int
    version: int
    mode: int
    stratum: int
    root_delay: float
    root_dispersion: float
    reference_id: bytes
    origin: int
    received: float
    sent: float


class Ntp(Asking[NtpSettings]):
    """One question to a time server. IHE's Consistent Time asks for a median error below one second."""

    name = "ntp"
    summary = "Asks a time server for its time: the offset of its clock to ours, and whether it is synchronized itself."
    settings = NtpSettings
    is_connectionless = True
    interval = timedelta(minutes=5)
    measures: ClassVar = {
        "offset_seconds": Measure("seconds", "higher", "between the server's clock and ours, either way", 0.5, 1),
        "delay_seconds": Measure("seconds", "higher", "of the network there and back"),
        "stratum": Measure("hops", "higher", "of the server from a reference clock"),
        "root_distance_seconds": Measure("seconds", "higher", "the error that the server admits to", 1, 1.5),
    }
    failures: ClassVar = NETWORK_FAILURES | {
        "unsynchronized": "the server answers that its own clock is not synchronized",
        "kiss_of_death": "the server refuses to be asked (RFC 5905 §7.4)",
    }

    async def ask(self, settings: NtpSettings, attempt: Attempt) -> Observation:
        """Asks once; packets that don't answer our question are passed over."""
        addresses = await resolve(attempt, settings.host, settings.port, socket.SOCK_DGRAM)
        family, where = addresses[0]
        with socket.socket(family, socket.SOCK_DGRAM) as ours:
            ours.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(ours, where)
                with attempt.phase("answer"):
                    return await _ask(ours)
            except OSError as exc:
                raise not_connected(exc) from exc


async def _ask(ours: socket.socket) -> Observation:
    # The cookie stands in place of our time: only who has seen the question can answer it (RFC 9769 §3 has the idea).
    cookie = secrets.randbits(64)
    asked_at, began = time.time(), time.perf_counter()
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(ours, question(cookie))
    while True:
        packet = await loop.sock_recv(ours, LARGEST_PACKET)
        delay = time.perf_counter() - began
        answer = decoded(packet, near=asked_at)
        if answer is not None and answer.origin == cookie and answer.mode == SERVER:
            return judged(answer, asked_at, asked_at + delay)


def question(cookie: int) -> bytes:
    """A client's packet (RFC 5905 §7.3) that tells nothing of us but the cookie."""
    return PACKET.pack(VERSION << 3 | CLIENT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, cookie >> 32, cookie & 0xFFFF_FFFF)


def decoded(packet: bytes, near: float) -> Answer | None:
    """The answer in a packet, its times in the era of 2^32 seconds that lies ``near``; None for what is too short."""
    if len(packet) < PACKET.size:
        return None
    first, stratum, _, _, delay, dispersion, reference, _, _, o1, o2, r1, r2, s1, s2 = PACKET.unpack_from(packet)
    return Answer(
        leap=first >> 6,
        version=first >> 3 & 7,
        mode=first & 7,
        stratum=stratum,
        root_delay=delay / 65_536,
        root_dispersion=dispersion / 65_536,
        reference_id=reference.to_bytes(4, "big"),
        origin=o1 << 32 | o2,
        received=_unix(r1, r2, near),
        sent=_unix(s1, s2, near),
    )


def judged(answer: Answer, asked_at: float, heard_at: float) -> Observation:
    """What the answer means, by the four times of RFC 5905 §8. Raises Ended for a server that can't tell the time."""
    _refuse_useless(answer)
    offset = ((answer.received - asked_at) + (answer.sent - heard_at)) / 2
    delay = (heard_at - asked_at) - (answer.sent - answer.received)
    if delay < -0.001 or answer.sent < answer.received:
        raise failed("protocol", "The server's times contradict each other: it sent before it received.")
    measures = {
        "offset_seconds": round(abs(offset), 6),
        "delay_seconds": round(max(0.0, delay), 6),
        "stratum": float(answer.stratum),
        "root_distance_seconds": round(answer.root_delay / 2 + answer.root_dispersion, 6),
    }
    side = "ahead of" if offset > 0 else "behind"
    detail = f"The server's clock is {abs(offset):.3f} s {side} ours."
    facts = {"offset": f"{offset:+.6f}", "reference": _reference(answer)}
    return Observation("ok", None, detail, measures=measures, facts=facts)


def _refuse_useless(answer: Answer) -> None:
    if answer.stratum == 0:
        code = answer.reference_id.decode("ascii", "replace").strip("\0 ")
        raise failed("kiss_of_death", f"The server refuses to be asked: {code!r}.")
    if answer.leap == UNSYNCHRONIZED or answer.stratum > LAST_STRATUM:
        raise failed("unsynchronized", "The server says that its own clock is not synchronized.")
    if answer.version not in (3, VERSION):
        raise failed("protocol", f"The server answers in NTP version {answer.version}.")
    if answer.sent == 0 or answer.received == 0:
        raise failed("protocol", "The server's answer has no time in it.")


def _reference(answer: Answer) -> str:
    """The reference of a first stratum is four letters, that of every other an address (RFC 5905 §7.3)."""
    if answer.stratum == 1:
        return answer.reference_id.decode("ascii", "replace").strip("\0 ")
    return ".".join(map(str, answer.reference_id))


def _unix(seconds: int, fraction: int, near: float) -> float:
    if seconds == fraction == 0:
        return 0.0
    unix = seconds + fraction / ERA - UNIX_IN_NTP
    return unix + round((near - unix) / ERA) * ERA
