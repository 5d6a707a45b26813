"""An agent at work, the way from it to the service, which can be closed, and a spool that a test can wait for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.probes.conformance.dicom_conformance import OF_SUITES
from services.probes.kinds import KINDS
from services.probes.settings import KindSettings
from services.probes.vantage.agent import Agent
from services.probes.vantage.link import Link
from services.probes.vantage.quarantine import Quarantine
from services.probes.vantage.spool import Kept, Spool
from tests.harness import Harness
from tests.integration.probes.fleet import SITE

VANTAGE = "north-dmz"


@dataclass
class Gate:
    """The way to the service. While it is closed, a gateway answers whose service is away.

    With ``is_deaf`` what is posted gets there, and the answer doesn't get back.
    """

    app: ASGIApp
    is_open: bool = True
    is_deaf: bool = False
    posts: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or not."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if not self.is_open:
            await _answer_502(send)
        elif is_post and self.is_deaf:
            await self.app(scope, receive, _hear_nothing)
            self.posts += 1
            await _answer_502(send)
        else:
            await self.app(scope, receive, send)


async def _hear_nothing(message: Message) -> None:
    """What is said goes nowhere."""


async def _answer_502(send: Send) -> None:
    await send({"type": "http.response.start", "status": 502, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def gate_to(steward: Harness) -> Gate:
    """The way to a running service."""
    transport = steward.http._transport
    assert isinstance(transport, httpx.ASGITransport)
    return Gate(transport.app)


class Watched(Spool):
    """A spool that a test can wait for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 10_000)
        self.folder = folder
        self._moved = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def add(self, results: Sequence[Kept]) -> None:
        """Keeps results, and tells the test."""
        super().add(results)
        self._loop.call_soon_threadsafe(self._moved.set)

    def remove(self, last: int) -> None:
        """Forgets results, and tells the test."""
        super().remove(last)
        self._loop.call_soon_threadsafe(self._moved.set)

    async def until_waiting(self, count: int) -> None:
        """Returns when so many results wait."""
        await self._until(lambda: self.waiting >= count)

    async def until_empty(self) -> None:
        """Returns when none waits any more."""
        await self._until(lambda: self.waiting == 0)

    async def _until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_true():
                self._moved.clear()
                await self._moved.wait()


@asynccontextmanager
async def agent_at(
    url: str,
    steward: Harness,
    folder: Path,
    name: str = VANTAGE,
    settings: KindSettings | None = None,
    refresh: float = 0.1,
) -> AsyncIterator[Watched]:
    """Runs an agent that brings what it sees to the service at ``url``; gives its spool."""
    link = Link(f"{url}/probes", name, SecretStr(steward.issuer.token("agent", [f"service:{SITE}"])))
    spool = Watched(folder / "spool")
    kinds = {kind.name: kind.configured(settings or KindSettings()) for kind in (*KINDS, *OF_SUITES)}
    running = asyncio.create_task(Agent(link, spool, Quarantine(spool.folder), kinds, refresh, 100).run())
    try:
        yield spool
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await link.close()
        spool.close()
