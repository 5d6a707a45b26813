"""One association as requestor (PS3.8 §7): a connection, the PDUs over it, and its end."""

import asyncio
import ipaddress
import socket
from contextlib import suppress

from services.probes.dicom import pdu
from services.probes.dicom.domain import (
    Abort,
    EchoEnded,
    Rejection,
    aborted,
    context_rejected,
    failed,
    rejected,
)
from services.probes.dicom.network import disconnected, not_connected, not_resolved
from services.probes.dicom.parameters import Peer

# Seconds after which the next address of the same host is tried.
_NEXT_ADDRESS_AFTER = 1.0


class Association:
    """An association over an open connection. Every method raises `EchoEnded` when the peer does not keep its part."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._is_established = False
        self._maximum_length = 0

    async def negotiate(self, request: bytes) -> None:
        """Have the peer accept the A-ASSOCIATE-RQ and its one presentation context (PS3.8 §7.1)."""
        reply = await self._ask(request)
        if isinstance(reply, Rejection):
            raise EchoEnded(rejected(reply))
        if not isinstance(reply, pdu.Acceptance):
            raise _out_of_place(reply)
        self._is_established = True
        self._maximum_length = reply.maximum_length
        result = reply.context_results.get(pdu.CONTEXT_ID)
        if result is None:
            raise failed("protocol", "The peer accepted the association without a word on the Verification SOP class.")
        if result != 0:
            raise EchoEnded(context_rejected(result))

    async def verify(self) -> int:
        """The DIMSE status with which the peer answers a C-ECHO (PS3.7 §9.1.5)."""
        response = pdu.EchoResponse()
        try:
            reply = await self._ask(pdu.echo_request(self._maximum_length))
            while True:
                if not isinstance(reply, pdu.Data):
                    raise _out_of_place(reply)
                status = response.add(reply)
                if status is not None:
                    return status
                reply = await self._receive()
        except pdu.BadReply as exc:
            raise _protocol(exc) from exc

    async def release(self) -> None:
        """End the association in order (PS3.8 §7.2)."""
        reply = await self._ask(pdu.release_request())
        self._is_established = False
        if not isinstance(reply, pdu.ReleaseReply):
            raise _out_of_place(reply)

    async def close(self) -> None:
        """Close the connection; an association that is still established is aborted first (PS3.8 §7.3)."""
        if self._is_established:
            self._writer.write(pdu.abort_request())
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _ask(self, request: bytes) -> pdu.Reply:
        self._writer.write(request)
        return await self._receive()

    async def _receive(self) -> pdu.Reply:
        try:
            header = await self._reader.readexactly(pdu.HEADER_LENGTH)
            body = await self._reader.readexactly(pdu.body_length(header))
            return pdu.decode_reply(header + body)
        except (OSError, EOFError) as exc:
            self._is_established = False
            raise EchoEnded(disconnected(exc)) from exc
        except pdu.BadReply as exc:
            raise _protocol(exc) from exc


async def resolve(peer: Peer) -> list[str]:
    """The addresses of the peer's host, in the resolver's order of preference.

    A cancelled look-up goes on in its thread until the system's resolver gives up.
    """
    with suppress(ValueError):
        return [str(ipaddress.ip_address(peer.host))]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as exc:
        raise EchoEnded(not_resolved(peer.host, exc)) from exc
    return [str(address[0]) for *_, address in found]


async def connect(addresses: list[str], port: int) -> Association:
    """An association, not yet negotiated, with the first of the addresses that takes a connection."""
    *others, last = addresses
    for address in others:
        with suppress(OSError):
            async with asyncio.timeout(_NEXT_ADDRESS_AFTER):
                return await _connect(address, port)
    try:
        return await _connect(last, port)
    except OSError as exc:
        raise EchoEnded(not_connected(exc)) from exc


async def _connect(address: str, port: int) -> Association:
    return Association(*await asyncio.open_connection(address, port, limit=pdu.MAX_PDU_LENGTH))


def _out_of_place(reply: pdu.Reply) -> EchoEnded:
    if isinstance(reply, Abort):
        return EchoEnded(aborted(reply))
    return failed("protocol", f"The peer broke the DICOM protocol: it sent an unexpected {type(reply).__name__}.")


def _protocol(fault: pdu.BadReply) -> EchoEnded:
    return failed("protocol", f"The peer broke the DICOM protocol: {fault}")
