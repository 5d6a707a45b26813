"""The storage SCP of C-MOVE, and the side of Storage Commitment that is told the outcome (PS3.4 Annexes B and J)."""

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager
from typing import cast

from services.probes.dicom.acceptor import Acceptor, House
from services.probes.dicom.commitment import Commitment
from services.probes.dicom.connection import Connection
from services.probes.dicom.domain import DicomFailure
from services.probes.dicom.inbox import Inbox
from services.probes.dicom.instances import Received
from services.probes.dicom.parameters import Limits, Tls
from services.probes.dicom.statuses import SUCCESS
from services.probes.dicom.tls import server_context

# Connections beyond the associations that are let in: they are told that the listener is full.
_MOST_REJECTED = 64


class Listener:
    """A listening SCP of C-ECHO, C-STORE and of commitment's N-EVENT-REPORT."""

    def __init__(self, house: House, context: ssl.SSLContext | None, associations: int) -> None:
        self.ae_title = house.ae_title
        self.port = 0
        self.failures: deque[DicomFailure] = deque(maxlen=64)
        self._house = house
        self._context = context
        self._associations = associations
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def connection(self) -> Connection:
        """A connection that is to be taken."""
        return Connection(self._loop, self._house.limits.slowest)

    def received(self) -> AsyncIterator[Received]:
        """The instances as they come, until the listener closes."""
        return self._house.instances.taken()

    def commitments(self) -> AsyncIterator[Commitment]:
        """The outcomes of commitment requests as they come, until the listener closes."""
        return self._house.commitments.taken()

    async def open(self, host: str, port: int) -> None:
        """Listens. Raises OSError where the port is taken."""
        caller = _Accepted if self._context is None else _Knocking
        self._server = await self._loop.create_server(lambda: caller(self), host, port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Ends everything that was begun; afterwards no socket and no task of it is left."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._house.instances.close()
        await self._house.commitments.close()

    @property
    def has_room(self) -> bool:
        """Whether a caller is at least told that the listener is full."""
        return self._server is not None and len(self._tasks) < self._associations + _MOST_REJECTED

    def take(self, connection: Connection, accepted: socket.socket | None = None) -> None:
        """A caller has connected; it speaks TLS on a socket that was only ``accepted``."""
        serving = self._serve(connection, accepted, is_full=len(self._tasks) >= self._associations)
        task = self._loop.create_task(serving)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if accepted is not None:
            # A task that is cancelled before it began has taken nothing over.
            task.add_done_callback(lambda _: accepted.close())

    async def _serve(self, connection: Connection, accepted: socket.socket | None, is_full: bool) -> None:
        try:
            if self._context is not None and accepted is not None:
                with connection.within("tls", self._house.timeout):
                    await connection.take_over(accepted, self._context, self._house.timeout)
            await Acceptor(connection, self._house).serve(is_full)
        except DicomFailure as failure:
            self.failures.append(failure)
        finally:
            await connection.close()


class _Accepted(asyncio.Protocol):
    """A caller in the clear: the connection is its protocol from the first byte on."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Puts the connection in its own place."""
        if not self._listener.has_room:
            cast(asyncio.Transport, transport).abort()
            return
        connection = self._listener.connection()
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self._listener.take(connection)


class _Knocking(asyncio.Protocol):
    """A caller that speaks TLS.

    Not every event loop can be told, before it has read, to read nothing: so its socket is kept and its transport given
    up, and no byte of the handshake is lost to whoever does not speak TLS.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hands the socket on."""
        if self._listener.has_room:
            accepted = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
            accepted.setblocking(False)
            self._listener.take(self._listener.connection(), accepted)
        cast(asyncio.Transport, transport).abort()


@asynccontextmanager
async def listen(
    ae_title: str,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: Tls | None = None,
    titles: Container[str] | None = None,
    callers: Sequence[str] | None = None,
    transfer_syntaxes: Sequence[str] | None = None,
    timeout: float = 30.0,
    limits: Limits = Limits(),  # noqa: B008 -- it is frozen
    associations: int = 16,
    pending: int = 64,
    judge: Callable[[Received], int] | None = None,
) -> AsyncIterator[Listener]:
    """A listener while the block lasts; afterwards its port and all its associations are closed.

    ``titles`` are the AE titles that it may be called by (by default ``ae_title`` alone), looked up for each
    association. ``callers`` are the calling AE titles that are let in (by default all). ``transfer_syntaxes`` are those
    taken, in order of preference (by default the first that the caller proposes). More than ``associations`` at once
    are rejected as "local limit exceeded". Whoever sends while ``pending`` instances, or ``limits.instance_bytes`` of
    them, wait to be taken by ``received()`` waits too, and after ``timeout`` is told "out of resources". ``judge``
    gives the status to answer a C-STORE with, by default success; an instance that it refuses is not kept.

    Raises OSError where the port can't be had, ValueError for TLS files that can't be used.
    """
    house = House(
        ae_title=ae_title,
        titles=(ae_title,) if titles is None else titles,
        callers=None if callers is None else frozenset(callers),
        transfer_syntaxes=transfer_syntaxes,
        timeout=timeout,
        limits=limits,
        instances=Inbox(pending, limits.instance_bytes),
        commitments=Inbox(pending, limits.instance_bytes),
        judge=judge or (lambda _: SUCCESS),
    )
    listener = Listener(house, None if tls is None else server_context(tls), associations)
    try:
        await listener.open(host, port)
        yield listener
    finally:
        await listener.close()
