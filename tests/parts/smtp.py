"""A mail server for tests: a real aiosmtpd receiver on loopback that can be told to misbehave at any step."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax

Step = Literal["connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "content", "accepted", "quit"]
"""`data` answers the command, `content` what follows it; at `accepted` the message was kept but not answered for."""


@dataclass(frozen=True)
class Received:
    """One message that the server took over."""

    mail_from: str
    rcpt_to: str
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The message as a mail program reads it."""
        message = message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass(frozen=True)
class Reply:
    """Answer with this line instead of the usual."""

    line: str


@dataclass(frozen=True)
class Hang:
    """Answer nothing and keep the connection open."""


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer."""


Action = Reply | Hang | Drop


class SmtpServer:
    """``async with SmtpServer() as server``: listens on `port`, keeps what it accepts in `messages`.

    With a `tls_context` it offers STARTTLS or, if `implicit_tls`, speaks TLS from the first byte. With `credentials`
    it asks for a login. `commands` holds every MAIL and RCPT as it came.
    """

    def __init__(
        self,
        *,
        tls_context: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        credentials: tuple[str, str] | None = None,
        smtputf8: bool = False,
    ) -> None:
        self.tls_context, self.implicit_tls = tls_context, implicit_tls
        self.credentials, self.smtputf8 = credentials, smtputf8
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.port = 0
        self.connections: set[_Connection] = set()
        self._script: dict[Step, list[Action]] = {}
        self._changed = asyncio.Condition()

    def script(self, step: Step, *actions: Action) -> None:
        """Do these at the next times this step is reached, one a time; afterwards behave well again."""
        self._script.setdefault(step, []).extend(actions)

    async def wait_for(self, predicate: Callable[[list[Received]], bool], timeout: float = 60.0) -> None:
        """Return as soon as the predicate holds for the messages received; TimeoutError if it does not in time."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: predicate(self.messages))

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        implicit = self.tls_context if self.implicit_tls else None
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, ssl=implicit)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await asyncio.gather(*(connection.end() for connection in list(self.connections)))
        await self._server.wait_closed()

    def next_action(self, step: Step) -> Action | None:
        """Take the next scripted action of this step."""
        actions = self._script.get(step)
        return actions.pop(0) if actions else None

    async def keep(self, received: Received) -> None:
        """Store a message and wake those who wait for it."""
        async with self._changed:
            self.messages.append(received)
            self._changed.notify_all()


class _Connection(SMTP):
    def __init__(self, server: SmtpServer) -> None:
        self.owner = server
        super().__init__(
            _Handler(server),
            hostname="localhost",
            loop=asyncio.get_running_loop(),
            tls_context=None if server.implicit_tls else server.tls_context,
            enable_SMTPUTF8=server.smtputf8,
            authenticator=_Authenticator(server.credentials) if server.credentials else None,
            auth_required=server.credentials is not None,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.owner.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.owner.connections.discard(self)
        super().connection_lost(error)

    async def end(self) -> None:
        # After STARTTLS the plain transport stays below; a failed handshake leaves the session waiting for it.
        for transport in (self.transport, self._original_transport):
            _abort(transport)
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    async def perform(self, step: Step) -> str | None:
        """Carry out what is scripted for the step; returns the line to answer, None if nothing was scripted."""
        match self.owner.next_action(step):
            case Reply(line):
                return line
            case Hang():
                await asyncio.get_running_loop().create_future()
            case Drop():
                _abort(self.transport)
                await asyncio.get_running_loop().create_future()
        return None

    async def obey(self, step: Step) -> bool:
        """`perform`, with the answer sent; True if something was scripted."""
        line = await self.perform(step)
        if line is not None:
            await self.push(line)
        return line is not None

    async def _handle_client(self) -> None:
        if not await self.obey("connect"):
            await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:
        if not await self.obey("ehlo"):
            await super().smtp_EHLO(hostname)

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:
        if not await self.obey("starttls"):
            await super().smtp_STARTTLS(arg)

    async def smtp_AUTH(self, arg: str) -> None:
        if not await self.obey("auth"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str | None) -> None:
        self.owner.commands.append(f"MAIL {arg}")
        if not await self.obey("mail"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str | None) -> None:
        self.owner.commands.append(f"RCPT {arg}")
        if not await self.obey("rcpt"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:
        if not await self.obey("data"):
            await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg: str) -> None:
        if not await self.obey("quit"):
            await super().smtp_QUIT(arg)


def _abort(transport: asyncio.BaseTransport | None) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        # Older releases of Python 3.11 take the protocol from a TLS transport that is closed twice, and then miss it.
        with suppress(AttributeError):
            transport.abort()


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_DATA(self, connection: _Connection, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        refusal = await connection.perform("content")
        if refusal is not None:
            return refusal
        for rcpt_to in envelope.rcpt_tos:
            await self._server.keep(Received(envelope.mail_from or "", rcpt_to, envelope.content))
        answer = await connection.perform("accepted")
        return answer or "250 2.0.0 taken over"


class _Authenticator:
    def __init__(self, credentials: tuple[str, str]) -> None:
        self._credentials = credentials

    def __call__(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._credentials, handled=False)
