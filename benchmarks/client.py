"""A client that costs next to nothing: a slow one would take the answer late and make what follows look quick."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode, urlsplit

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """HTTP/1.1 over connections that are kept, with JSON bodies."""

    def __init__(self, url: str, token: str) -> None:
        where = urlsplit(url)
        self._address = (where.hostname, where.port)
        self._path = where.path
        self._token = token
        self._idle: deque[Streams] = deque()

    async def post(self, path: str, body: object, flow: str) -> None:
        """Returns as the answer arrives. Fails unless it says that something was created."""
        content = json.dumps(body).encode()
        headers = (f"X-Correlation-Id: {flow}", "Content-Type: application/json", f"Content-Length: {len(content)}")
        await self._ask("POST", path, headers, content, 201)

    async def get(self, path: str, parameters: Mapping[str, str | int]) -> None:
        """Returns as the answer arrives. Fails unless it is there."""
        await self._ask("GET", f"{path}?{urlencode(parameters)}", (), b"", 200)

    async def _ask(self, method: str, path: str, headers: Sequence[str], content: bytes, status: int) -> None:
        # The one unused for longest goes first, or the server would close it before its turn.
        reader, writer = self._idle.popleft() if self._idle else await asyncio.open_connection(*self._address)
        lines = (
            f"{method} {self._path}{path} HTTP/1.1",
            "Host: steward",
            f"Authorization: Bearer {self._token}",
            *headers,
            "\r\n",
        )
        writer.write("\r\n".join(lines).encode() + content)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        text = await reader.readexactly(int(length.split(b":")[1]))
        assert answer.startswith(b"HTTP/1.1 %d" % status), answer + text
        self._idle.append((reader, writer))

    def close(self) -> None:
        """Ends the connections."""
        for _, writer in self._idle:
            writer.close()


@asynccontextmanager
async def client(url: str, token: str) -> AsyncIterator[Client]:
    """A client of one API."""
    found = Client(url, token)
    try:
        yield found
    finally:
        found.close()
