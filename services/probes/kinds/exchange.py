"""HTTP with phases and bounds: httpx's client over connections of ours, on which every step is timed."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import h11
import httpx
from pydantic import AfterValidator, Field

from services.probes.dicom.turns import Turn
from services.probes.kinds.asking import TLS_FAILURES
from services.probes.kinds.attempt import Attempt, Ended, failed
from services.probes.kinds.network import disconnected, drop, open_connection
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.trust import Trust, context_of

LARGEST_HEAD = 65_536
LARGEST_JSON = 128 * 1024
"""What is parsed in one piece holds up every other probe of this process meanwhile: 5 ms at most."""

READ_AT_ONCE = 16_384
MOST_INTERIM_ANSWERS = 10
HTTP_FAILURES = TLS_FAILURES | {
    "http_status": "the server answers with another status than expected",
    "too_large": "the answer is larger than its bound",
    "redirect": "too many redirects, or one that would take our credentials to another host",
}


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or " " in url:
        raise ValueError("must be an http:// or https:// URL, for example https://pacs.example.org/")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user and no password: name them in their own fields")
    try:
        httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise ValueError(f"must be a URL: {exc}") from exc
    return url


Origin = tuple[str, str, int]
Url = Annotated[str, Field(max_length=2000), AfterValidator(_http_url)]


class Login(Trust):
    """Who we are to a server, and whom we trust."""

    username: str | None = Field(None, max_length=200, description="user of HTTP Basic", examples=["steward"])
    password: Secret | None = Field(None, description="secret with the user's password", examples=["north.pacs"])
    token: Secret | None = Field(None, description="secret with a bearer token", examples=["north.pacs-token"])

    def login_headers(self, attempt: Attempt) -> dict[str, str]:
        """The Authorization of every request. Raises SecretMissing."""
        if self.token:
            return {"Authorization": f"Bearer {attempt.secret(self.token)}"}
        if self.username is None:
            return {}
        password = attempt.secret(self.password) if self.password else ""
        request = next(httpx.BasicAuth(self.username, password).auth_flow(httpx.Request("GET", "http://x")))
        return {"Authorization": request.headers["Authorization"]}


@asynccontextmanager
async def client(
    attempt: Attempt, trust: Trust, largest: int, headers: dict[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for one attempt: it follows no redirect by itself, and believes no proxy of the environment."""
    transport = Exchange(attempt, trust, largest)
    ours = {"User-Agent": "Steward", "Accept": "*/*", "Accept-Encoding": "identity"}
    async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as speaking:  # noqa: S113 -- the attempt has a deadline
        speaking.headers = httpx.Headers(ours | headers)
        yield speaking


class Exchange(httpx.AsyncBaseTransport):
    """Sends one request at a time and reads the whole answer, at most ``largest`` bytes. Raises Ended.

    A connection is kept for the next request to the same origin while both sides want it.
    """

    def __init__(self, attempt: Attempt, trust: Trust, largest: int) -> None:
        self._attempt = attempt
        self._trust = trust
        self._largest = largest
        self._kept: dict[Origin, Connection] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer to the request."""
        origin = (request.url.scheme, request.url.host, request.url.port or _port(request.url.scheme))
        kept = self._kept.pop(origin, None)
        try:
            return await self._ask(origin, kept or await self._connected(*origin), request)
        except Ended as ended:
            # A server may close what is idle just as the next request is under way (RFC 9112 §9.3.1).
            if kept is None or ended.observation.failure != "closed":
                raise
        return await self._ask(origin, await self._connected(*origin), request)

    async def aclose(self) -> None:
        """Drops the connections that were kept."""
        for connection in self._kept.values():
            await drop(connection.writer)

    async def _ask(self, origin: Origin, connection: "Connection", request: httpx.Request) -> httpx.Response:
        try:
            response = await connection.ask(request, self._largest)
        except BaseException as exc:
            await drop(connection.writer)
            if isinstance(exc, OSError | EOFError):
                raise disconnected(exc) from exc
            if isinstance(exc, h11.RemoteProtocolError):
                raise failed("protocol", f"The server breaks HTTP: {exc}.") from exc
            raise
        if connection.can_be_kept():
            self._kept[origin] = connection
        else:
            await drop(connection.writer)
        return response

    async def _connected(self, scheme: str, host: str, port: int) -> "Connection":
        tls = context_of(self._trust, self._attempt) if scheme == "https" else None
        return Connection(self._attempt, *await open_connection(self._attempt, host, port, tls))


class Connection:
    """HTTP/1.1 over one connection (RFC 9112)."""

    def __init__(self, attempt: Attempt, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._attempt = attempt
        self._reader = reader
        self.writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)

    async def ask(self, request: httpx.Request, largest: int) -> httpx.Response:
        """The whole answer. Its phases: ``answer`` until its head, ``body`` until its end."""
        with self._attempt.phase("answer"):
            await self._send(request)
            head = await self._head()
        with self._attempt.phase("body"):
            body = await self._body(largest)
        if any(name == b"content-encoding" and value != b"identity" for name, value in head.headers):
            raise failed("protocol", "The server compressed an answer that was asked for as it is.")
        tls = self.writer.get_extra_info("ssl_object")
        return httpx.Response(
            head.status_code,
            headers=[(bytes(name), bytes(value)) for name, value in head.headers.raw_items()],
            content=body,
            request=request,
            extensions={"ssl_object": tls} if tls else {},
        )

    def can_be_kept(self) -> bool:
        """Whether another request can be sent; if so, the connection is ready for it."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return not self._reader.at_eof()

    async def _send(self, request: httpx.Request) -> None:
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"transfer-encoding"]
        head = h11.Request(method=request.method, target=request.url.raw_path, headers=headers)
        self.writer.write(self._http.send(head) or b"")
        body = await request.aread()
        if body:
            self.writer.write(self._http.send(h11.Data(data=body)) or b"")
        self.writer.write(self._http.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()

    async def _head(self) -> h11.Response:
        for _ in range(MOST_INTERIM_ANSWERS):
            event = await self._next()
            if isinstance(event, h11.Response):
                return event
        raise failed("protocol", "The server sends one interim answer after the other.")

    async def _body(self, largest: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        turn = Turn()
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                size += len(event.data)
            if size > largest:
                raise failed("too_large", f"The answer passes {largest} bytes.")
            if turn.is_over():
                await asyncio.sleep(0)
                turn.begin()
        return b"".join(parts)

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            more = await self._reader.read(READ_AT_ONCE)
            self._http.receive_data(more)
            if not more:
                return self._end()
        return event

    def _end(self) -> object:
        """What it means that the peer has closed: the end of a body without a length, or an answer cut short."""
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as exc:
            raise EOFError from exc
        if isinstance(event, h11.ConnectionClosed):
            raise EOFError
        return event


def json_of(response: httpx.Response) -> Any:
    """What the answer's JSON says. Raises ValueError or RecursionError for what is none, Ended for a large one."""
    if len(response.content) > LARGEST_JSON:
        raise failed("too_large", f"The answer's JSON passes {LARGEST_JSON} bytes.")
    return json.loads(response.content)


def tls_of(response: httpx.Response) -> ssl.SSLObject | None:
    """The TLS connection that the answer came by."""
    return cast(ssl.SSLObject | None, response.extensions.get("ssl_object"))


def _port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
