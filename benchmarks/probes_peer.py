"""`python -m benchmarks.probes_peer`: DICOM nodes that answer C-ECHO as cheaply as can be, some mute, one port closed.

Prints its ports as one line of JSON and ends with its standard input.
"""

import asyncio
import json
import socket
import struct
import sys
from typing import cast

import uvloop

ECHO_PORTS = 16
BACKLOG = 4096
HEADER = 6

ASSOCIATE_RQ, P_DATA, RELEASE_RQ = 1, 4, 5
IMPLICIT_LITTLE_ENDIAN = b"1.2.840.10008.1.2"
APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
VERIFICATION = b"1.2.840.10008.1.1\x00"
RELEASE_RP = struct.pack(">BBLL", 6, 0, 4, 0)
MESSAGE_ID = struct.pack("<HHL", 0x0000, 0x0110, 2)


def item(kind: int, value: bytes) -> bytes:
    """An item of an A-ASSOCIATE PDU (PS3.8 §9.3.2)."""
    return struct.pack(">BBH", kind, 0, len(value)) + value


def associate_ac(request: bytes) -> bytes:
    """The A-ASSOCIATE-AC that accepts a request's first context; it returns the AE titles as they came."""
    context = item(0x21, b"\x01\x00\x00\x00" + item(0x40, IMPLICIT_LITTLE_ENDIAN))
    user = item(0x50, item(0x51, struct.pack(">L", 16_384)) + item(0x52, b"1.2.3.4"))
    body = request[:68] + item(0x10, APPLICATION_CONTEXT) + context + user
    return struct.pack(">BBL", 2, 0, len(body)) + body


def element(number: int, value: bytes) -> bytes:
    """An element of a command set, implicit VR little endian (PS3.7 §6.3.1)."""
    return struct.pack("<HHL", 0, number, len(value)) + value


def echo_rsp(request: bytes) -> bytes:
    """The P-DATA-TF with the C-ECHO-RSP (PS3.7 §9.3.5) to the request in another."""
    at = request.index(MESSAGE_ID) + len(MESSAGE_ID)
    elements = (
        element(0x0002, VERIFICATION)
        + element(0x0100, struct.pack("<H", 0x8030))
        + element(0x0120, request[at : at + 2])
        + element(0x0800, struct.pack("<H", 0x0101))
        + element(0x0900, struct.pack("<H", 0x0000))
    )
    command = element(0x0000, struct.pack("<L", len(elements))) + elements
    value = struct.pack(">LBB", len(command) + 2, request[4], 0x03) + command
    return struct.pack(">BBL", P_DATA, 0, len(value)) + value


class Node(asyncio.Protocol):
    """Answers what a well-behaved caller sends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= HEADER:
            kind, length = self._received[0], int.from_bytes(self._received[2:HEADER])
            if len(self._received) < HEADER + length:
                return
            body, self._received = self._received[HEADER : HEADER + length], self._received[HEADER + length :]
            self._answer(kind, body)

    def _answer(self, kind: int, body: bytes) -> None:
        if kind == ASSOCIATE_RQ:
            self._transport.write(associate_ac(body))
        elif kind == P_DATA:
            self._transport.write(echo_rsp(body))
        elif kind == RELEASE_RQ:
            self._transport.write(RELEASE_RP)
        else:
            self._transport.close()


def bound() -> socket.socket:
    """A socket at a free port of this machine alone; until it listens, connections are refused."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


async def main() -> None:
    """Listens until standard input ends."""
    loop = asyncio.get_running_loop()
    answering, mute, closed = [bound() for _ in range(ECHO_PORTS)], bound(), bound()
    for sock in answering:
        await loop.create_server(Node, sock=sock, backlog=BACKLOG)
    await loop.create_server(asyncio.Protocol, sock=mute, backlog=BACKLOG)
    ports = {"echo": [sock.getsockname()[1] for sock in answering]}
    print(json.dumps(ports | {"mute": mute.getsockname()[1], "closed": closed.getsockname()[1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
