"""One TCP or TLS connection that carries PDUs: every read is bounded in time and size, nothing outlives its close."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from time import perf_counter
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from services.probes.dicom.buffers import Unread
from services.probes.dicom.domain import DicomFailure, Phase, timed_out
from services.probes.dicom.network import disconnected
from services.probes.dicom.pdu import ABORT, HEADER_LENGTH, OFFERED_LENGTH, BadReply, body_length
from services.probes.dicom.turns import Turn

# Bytes that are kept unread before the peer has to wait; a PDU of the offered length fits in.
_MOST_UNREAD = 2 * OFFERED_LENGTH
_MOST_UNSENT = 1 << 20
# Linux alone has it. Many peers write a PDU in two pieces, and Nagle's algorithm keeps the second back until we
# acknowledge the first, which without this takes 40 ms.
_ACKNOWLEDGE_NOW = getattr(socket, "TCP_QUICKACK", None)
# Seconds that an orderly close may take before the connection is cut.
_CLOSING = 0.5

T = TypeVar("T")


class Connection(asyncio.Protocol):
    """The bytes of one association, for one task. Reads and writes raise DicomFailure when peer or time end them.

    ``slowest`` (bytes a second) is the speed from which on an instance that comes extends the time of a phase.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, slowest: int) -> None:
        self.phases: dict[Phase, float] = {}
        self.ends_at = float("inf")
        self._loop = loop
        self._slowest = slowest
        self._transport: asyncio.Transport | None = None
        self._is_secure = False
        self._unread = Unread()
        self.turn = Turn()
        self._owes_acknowledgement = False
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._has_ended = False
        self._fault: BaseException | None = None
        self._lost: asyncio.Future[None] = loop.create_future()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self._within: _Within | None = None

    def within(self, phase: Phase, seconds: float) -> "_Within":
        """A block whose reads and writes may take so long altogether, and whose time counts for the phase."""
        return _Within(self, phase, seconds)

    def credit(self, count: int) -> None:
        """So many bytes of an instance came, for which the block gets more time."""
        if self._within is not None and self._slowest:
            self._within.extra += count / self._slowest

    async def secure(self, context: ssl.SSLContext, server_name: str, seconds: float) -> None:
        """Goes on in TLS, as client."""
        plain = self._open()
        try:
            secured = await self._shake_hands(
                self._loop.start_tls(plain, self, context, server_hostname=server_name), seconds
            )
        except BaseException:
            plain.abort()
            raise
        # Type stubs have None for a loop that gives no transport, which none does.
        self._transport = cast(asyncio.Transport, secured)

    async def take_over(self, accepted: socket.socket, context: ssl.SSLContext, seconds: float) -> None:
        """Speaks TLS as server on a socket of which nothing was read yet."""
        await self._shake_hands(self._loop.connect_accepted_socket(lambda: self, accepted, ssl=context), seconds)

    async def _shake_hands(self, handshake: Coroutine[Any, Any, T], seconds: float) -> T:
        try:
            async with asyncio.timeout_at(min(self._loop.time() + seconds, self.ends_at)) as limit:
                shaken = await handshake
        except BaseException as exc:
            # TLS tells of no end before its handshake is over. Two turns are what closing a socket takes.
            self.connection_lost(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if isinstance(exc, OSError):
                raise timed_out("tls", seconds) if limit.expired() else disconnected(exc) from exc
            raise
        self._is_secure = True
        return shaken

    async def read(self) -> tuple[int, memoryview]:
        """Type and body of the next PDU."""
        while (found := self.read_now()) is None:
            if self.turn.is_over():
                await self.give_way()
            else:
                await self._wait()
        return found

    def read_now(self) -> tuple[int, memoryview] | None:
        """The same, if all of it has come and it is not the turn of others."""
        if len(self._unread) < HEADER_LENGTH or self.turn.is_over():
            return None
        kind, length = body_length(*self._unread.peek(HEADER_LENGTH))
        if len(self._unread) < HEADER_LENGTH + length:
            return None
        return kind, self._take(length)

    async def give_way(self) -> None:
        """Lets others have their turn."""
        await asyncio.sleep(0)
        self.turn.begin()

    def send(self, data: bytes) -> None:
        """Sends a few bytes, without waiting until the peer takes them."""
        self._open().write(data)
        self._owes_acknowledgement = False

    async def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Sends bytes as fast as the peer takes them; returns early when it aborts meanwhile."""
        if self._is_secure:
            # Each piece would become a record of TLS of its own.
            self._open().write(b"".join(pieces))
        else:
            self._open().writelines(pieces)
        self._owes_acknowledgement = False
        while self._is_writing_paused and not self._is_aborted():
            await self._wait()

    async def close(self, farewell: bytes = b"") -> None:
        """Closes the connection, after a last PDU if there is one; afterwards its socket is gone."""
        if self._transport is None or self._lost.done():
            return
        if farewell and not self._is_writing_paused and not self._has_ended:
            self._transport.write(farewell)
        self._transport.close()
        cut = self._loop.call_later(_CLOSING, self._cut)
        try:
            await asyncio.shield(self._lost)
        finally:
            cut.cancel()
            self.abort()

    def abandon(self) -> None:
        """Forgets a connection whose making was cut short, of whose end not every event loop tells."""
        self._disarm()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def _cut(self) -> None:
        self.abort()
        self.connection_lost(None)

    def abort(self) -> None:
        """Cuts the connection at once."""
        if self._transport is not None and not self._lost.done():
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio gives the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        """asyncio brings bytes; what waits unread is bounded by holding the peer back."""
        self._unread.add(data)
        self._owes_acknowledgement = True
        if len(self._unread) > _MOST_UNREAD and not self._is_reading_paused:
            self._is_reading_paused = True
            cast(asyncio.Transport, self._transport).pause_reading()
        if self._waiter is None:
            return
        if self._has_whole_pdu():
            self._wake()
        else:
            self._acknowledge()

    def eof_received(self) -> None:
        """The peer says no more, after which it answers nothing; asyncio closes the connection."""
        self._has_ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._has_ended = True
        self._fault = exc
        self._disarm()
        if not self._lost.done():
            self._lost.set_result(None)
        self._wake()

    def pause_writing(self) -> None:
        """The peer is slower than we are."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._is_writing_paused = False
        self._wake()

    def _open(self) -> asyncio.Transport:
        if self._transport is None or self._has_ended:
            raise disconnected(self._fault)
        return self._transport

    def _has_whole_pdu(self) -> bool:
        """Whether the reader has something to read, be it only a fault."""
        if len(self._unread) < HEADER_LENGTH:
            return False
        try:
            return len(self._unread) >= HEADER_LENGTH + body_length(*self._unread.peek(HEADER_LENGTH))[1]
        except BadReply:
            return True

    def _acknowledge(self) -> None:
        self._owes_acknowledgement = False
        if self._socket is not None and _ACKNOWLEDGE_NOW is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _ACKNOWLEDGE_NOW, 1)

    def _is_aborted(self) -> bool:
        if not len(self._unread):
            return False
        start, offset = self._unread.peek(1)
        return start[offset] == ABORT

    def _take(self, length: int) -> memoryview:
        body = self._unread.take(HEADER_LENGTH + length)[HEADER_LENGTH:]
        if self._is_reading_paused and len(self._unread) < OFFERED_LENGTH:
            self._is_reading_paused = False
            if not self._has_ended:
                self._open().resume_reading()
        return body

    async def _wait(self) -> None:
        if self._has_ended:
            raise disconnected(self._fault)
        if self._within is None:
            raise RuntimeError("a connection is waited for without an end")
        self._within.check(self._loop.time())
        if self._owes_acknowledgement:
            self._acknowledge()
        self._arm(self._within.ends_at)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.turn.begin()

    def _arm(self, ends_at: float) -> None:
        """One timer serves many waits: it is renewed when it comes too early, and set anew only for an earlier end."""
        if self._timer is not None:
            if self._timer.when() <= ends_at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(ends_at, self._check_end)

    def _check_end(self) -> None:
        self._timer = None
        if self._waiter is None or self._within is None:
            return
        if self._loop.time() < self._within.ends_at:
            self._arm(self._within.ends_at)
        else:
            self._wake()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Within:
    __slots__ = ("_begun", "_connection", "_phase", "_seconds", "_started", "extra")

    def __init__(self, connection: Connection, phase: Phase, seconds: float) -> None:
        self.extra = 0.0
        self._connection = connection
        self._phase: Phase = phase
        self._seconds = seconds

    @property
    def ends_at(self) -> float:
        return min(self._started + self._seconds + self.extra, self._connection.ends_at)

    def check(self, now: float) -> None:
        if now >= self.ends_at:
            raise timed_out(self._phase, self._seconds)

    def __enter__(self) -> Self:
        self._begun = perf_counter()
        self._started = self._connection._loop.time()
        self._connection._within = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        phases = self._connection.phases
        phases[self._phase] = phases.get(self._phase, 0.0) + (perf_counter() - self._begun) * 1000
        self._connection._within = None
        # What is found out after a message came, outside of any block, is of DIMSE; within one, it is of the block.
        if isinstance(error, DicomFailure) and error.phase in (None, "dimse"):
            error.phase = self._phase
