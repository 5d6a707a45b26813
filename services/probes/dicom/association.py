"""An association as requestor (PS3.8 §7): the connection, the negotiation, the release, and the end in any case."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress

from services.probes.dicom import pdu
from services.probes.dicom.connection import Connection
from services.probes.dicom.domain import DicomFailure, not_released, rejected, timed_out
from services.probes.dicom.exchange import Exchange, out_of_place
from services.probes.dicom.negotiation import Acceptance, decode_acceptance, negotiated
from services.probes.dicom.network import not_connected, not_resolved
from services.probes.dicom.parameters import Context, Limits, NegotiatedContext, Peer
from services.probes.dicom.tls import client_context

# Seconds after which the next address of the same host is tried.
_NEXT_ADDRESS_AFTER = 1.0


class Association:
    """A connection to a peer from the name look-up to its close. Methods raise DicomFailure.

    ``timeout`` (seconds) bounds each phase, ``total`` all of them together.
    """

    def __init__(self, peer: Peer, timeout: float, total: float | None, limits: Limits) -> None:
        self._loop = asyncio.get_running_loop()
        self._peer = peer
        self._timeout = timeout
        self._limits = limits
        self._is_established = False
        self._context = client_context(peer.tls) if peer.tls is not None else None
        self.connection = Connection(self._loop, limits.slowest)
        if total is not None:
            self.connection.ends_at = self._loop.time() + total

    async def connect(self) -> None:
        """Finds the peer's host and connects to it, in TLS where it is to be."""
        connection, peer = self.connection, self._peer
        with connection.within("dns", self._timeout):
            addresses = await self._resolve()
        with connection.within("tcp", self._timeout):
            await self._connect(addresses)
        if self._context is not None:
            name = (peer.tls.server_name if peer.tls else None) or peer.host
            with connection.within("tls", self._timeout):
                await connection.secure(self._context, name, self._timeout)

    async def negotiate(self, request: bytes, contexts: Sequence[Context]) -> tuple[NegotiatedContext, ...]:
        """Sends the A-ASSOCIATE-RQ; what the peer makes of its contexts (PS3.8 §7.1)."""
        with self.connection.within("association", self._timeout):
            self.connection.send(request)
            acceptance = await self._acceptance()
            self._is_established = True
            found = negotiated(contexts, acceptance)
            accepted = [context.id for context in found if context.is_accepted]
            self.exchange = Exchange(self.connection, acceptance.maximum_length, accepted, self._limits)
        return found

    async def _acceptance(self) -> Acceptance:
        kind, body = await self.connection.read()
        if kind == pdu.ASSOCIATE_RJ:
            raise rejected(pdu.decode_rejection(body))
        if kind != pdu.ASSOCIATE_AC:
            raise out_of_place(kind, body)
        return decode_acceptance(bytes(body))

    async def release(self) -> None:
        """Ends the association in order (PS3.8 §7.2). Raises DicomFailure of class ``release``."""
        try:
            with self.connection.within("release", self._timeout):
                self.connection.send(pdu.release_request())
                await self._await_release()
        except DicomFailure as failure:
            raise not_released(failure) from failure
        self._is_established = False

    async def _await_release(self) -> None:
        # What the peer still has to say, and its own wish to release, may come first (PS3.8 Table 9-10, Sta7).
        while True:
            kind, body = await self.connection.read()
            if kind == pdu.RELEASE_RP:
                return
            if kind == pdu.RELEASE_RQ:
                self.connection.send(pdu.release_reply())
            elif kind != pdu.P_DATA_TF:
                raise out_of_place(kind, body)

    async def close(self) -> None:
        """Closes the connection; an association that is still established is aborted first (PS3.8 §7.3)."""
        await self.connection.close(pdu.abort_request() if self._is_established else b"")

    async def _resolve(self) -> list[str]:
        """The addresses of the peer's host; one that is given up goes on in its thread until the system ends it."""
        peer = self._peer
        with suppress(ValueError):
            return [str(ipaddress.ip_address(peer.host))]
        try:
            async with asyncio.timeout_at(self._end()) as limit:
                found = await self._loop.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as exc:
            raise timed_out("dns", self._timeout) if limit.expired() else not_resolved(peer.host, exc) from exc
        return [str(address[0]) for *_, address in found]

    async def _connect(self, addresses: list[str]) -> None:
        *others, last = addresses
        try:
            async with asyncio.timeout_at(self._end()) as limit:
                for address in others:
                    with suppress(OSError):
                        async with asyncio.timeout(_NEXT_ADDRESS_AFTER):
                            return await self._connect_to(address)
                await self._connect_to(last)
        except OSError as exc:
            raise timed_out("tcp", self._timeout) if limit.expired() else not_connected(exc) from exc

    async def _connect_to(self, address: str) -> None:
        try:
            await self._loop.create_connection(lambda: self.connection, address, self._peer.port)
        except BaseException:
            self.connection.abandon()
            raise

    def _end(self) -> float:
        return min(self._loop.time() + self._timeout, self.connection.ends_at)
