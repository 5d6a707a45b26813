"""A way to PostgreSQL that can be cut between any two messages of a session (PostgreSQL's protocol, version 3)."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, quote, urlsplit

APPEND = b"UPDATE head SET size"


@dataclass
class Cut:
    """At the ``number``th message that the server acts on: ``act``. They count from the first append on, or at once.

    Those are queries, executions of prepared ones, pieces of a COPY and their end; only the ones with ``text`` in them
    count. With ``after`` the server has acted, and its answer is lost. With ``is_open`` the connection stays as it is,
    and nothing more passes on it.
    """

    number: int
    act: Callable[[], None] = lambda: None
    after: bool = False
    is_open: bool = False
    text: bytes = b""
    is_armed: bool = False
    counted: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    _executes: bool = False

    def meets(self, kind: bytes, body: bytes) -> bool:
        """Counts a message, and says whether it is the one."""
        self.is_armed = self.is_armed or APPEND in body
        is_acted_on = kind in b"Qdc" or (kind == b"S" and self._executes)
        self._executes = kind == b"E" or (kind != b"S" and self._executes)
        if not self.is_armed or not is_acted_on or self.text not in body or self.done.is_set():
            return False
        self.counted += 1
        return self.counted == self.number


class Proxy:
    """Listens on a socket in ``folder`` and passes sessions on to the server behind ``dsn``."""

    def __init__(self, dsn: str, folder: Path) -> None:
        parts = urlsplit(dsn)
        [host] = parse_qs(parts.query)["host"]
        self._target = f"{host}/.s.PGSQL.5432"
        self._path = folder / ".s.PGSQL.5432"
        self.dsn = parts._replace(query=f"host={quote(str(folder), safe='')}&port=5432").geturl()
        self.cut: Cut | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        behind = await asyncio.open_unix_connection(self._target)
        session = _Session(self, reader, writer, *behind)
        with suppress(asyncio.CancelledError):
            await session.run()


class _Session:
    """One client's connection, and the one behind it."""

    def __init__(
        self,
        proxy: Proxy,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._client, self._to_client = client, to_client
        self._server, self._to_server = server, to_server
        self._muted = False
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Passes messages on until one side is gone or the cut comes."""
        both = [asyncio.create_task(self._ask()), asyncio.create_task(self._answer())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._to_client.close()
            self._to_server.close()

    async def _ask(self) -> None:
        kind = b""
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                message = await self._read(has_kind=bool(kind))
                kind = message[:1]
                cut = self._proxy.cut
                if cut is not None and cut.meets(kind, message):
                    await self._execute(cut, message)
                    return
                self._to_server.write(message)
                await self._to_server.drain()

    async def _read(self, has_kind: bool) -> bytes:
        """A message; the first of a session has no kind."""
        head = await self._client.readexactly(5 if has_kind else 4)
        [length] = struct.unpack(">I", head[-4:])
        return head + await self._client.readexactly(length - 4)

    async def _execute(self, cut: Cut, message: bytes) -> None:
        if cut.after:
            self._muted = True
            self._to_server.write(message)
            await self._to_server.drain()
            if message[:1] != b"d":
                await self._answered.wait()
        cut.act()
        self._muted = True
        cut.done.set()
        if cut.is_open:
            await asyncio.Event().wait()

    async def _answer(self) -> None:
        with suppress(OSError):
            while data := await self._server.read(65_536):
                if self._muted:
                    self._answered.set()
                    continue
                self._to_client.write(data)
                await self._to_client.drain()
        if self._proxy.cut is not None and self._proxy.cut.is_open and self._muted:
            await asyncio.Event().wait()
