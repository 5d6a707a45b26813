"""Runs services in the test's own process, over a real database and bus, and lets a test await what they publish."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from shared.bus import Bus
from shared.database import Pool, open_pool
from shared.events import CONTRACTS, Event, EventData, decode
from shared.http import mount_services
from shared.issuer import Issuer
from shared.relay import Relay
from shared.service import Service, open_service
from shared.settings import ServiceSettings
from shared.transactions import begin
from tests.news import WAIT_SECONDS

ADMIN = ("group-admin:*",)


@dataclass
class Heard:
    """All events that were published since the harness began, in the order of their arrival."""

    events: list[Event[EventData]] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self, bus: Bus) -> None:
        """Collects for ever."""

        async def from_start(_: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
            return {}

        async with bus.subscription("test-ear", sorted(CONTRACTS), from_start) as subscription:
            while True:
                for batch in await subscription.poll(1000, 5.0):
                    read = [decode(raw, topic=batch.topic, now=datetime.now(UTC)) for _, raw in batch.messages]
                    async with self._news:
                        self.events.extend(read)
                        self._news.notify_all()

    async def until(
        self, event_type: str, where: Callable[[Event[Any]], bool] = lambda _: True, seconds: float = WAIT_SECONDS
    ) -> Event[Any]:
        """The first event of that type that satisfies ``where``, awaited for at most ``seconds``."""

        def found() -> Event[Any] | None:
            return next((e for e in self.events if e.type == event_type and where(e)), None)

        async with self._news:
            async with asyncio.timeout(seconds):
                await self._news.wait_for(lambda: found() is not None)
        event = found()
        assert event is not None
        return event


@dataclass
class Harness:
    """Running services, a way to call them and a way to hear them."""

    http: httpx.AsyncClient
    issuer: Issuer
    heard: Heard
    pools: dict[str, Pool]

    def as_(self, name: str, *grants: str) -> httpx.AsyncClient:
        """A client with a token of its own; without grants, of the group's administrator."""
        token = self.issuer.token(name, grants or ADMIN)
        transport = self.http._transport
        return httpx.AsyncClient(
            transport=transport, base_url="http://steward", headers={"Authorization": f"Bearer {token}"}
        )

    @property
    def admin(self) -> httpx.AsyncClient:
        """A client of the group's administrator."""
        return self.as_("admin")


@dataclass(frozen=True)
class Voice:
    """Publishes in the name of a service that does not run: through its outbox and its relay, as it would."""

    service: str
    pool: Pool

    async def say(self, *events: EventData, subject: str, site_id: str, now: datetime | None = None) -> None:
        """Publishes events about one subject, in one flow, in their order."""
        async with begin(self.pool, self.service, now=now) as tx:
            for event in events:
                tx.record(event, subject=subject, site_id=site_id)


@asynccontextmanager
async def speaking_as(service: str, dsn: str, bus: Bus) -> AsyncIterator[Voice]:
    """The voice of a service over its own schema."""
    pool = await open_pool(dsn, schema=service, application=f"test-voice-{service}")
    relay = asyncio.create_task(Relay(service, dsn, bus).run())
    try:
        yield Voice(service, pool)
    finally:
        await _cancel(relay)
        pool.terminate()


BuildAny = Callable[[Pool], Service]


@asynccontextmanager
async def running(
    builds: Mapping[str, BuildAny], settings: Mapping[str, ServiceSettings], bus: Bus, folder: Path
) -> AsyncIterator[Harness]:
    """Opens the services named in ``builds`` and the ear of the test."""
    issuer = Issuer(folder)
    async with AsyncExitStack() as stack:
        heard = Heard()
        ear = asyncio.create_task(heard.listen(bus))
        stack.push_async_callback(_cancel, ear)
        pools: dict[str, Pool] = {}

        def keeping(name: str, build: BuildAny) -> BuildAny:
            def keep(pool: Pool) -> Service:
                pools[name] = pool
                return build(pool)

            return keep

        opened = {
            name: await stack.enter_async_context(open_service(name, keeping(name, build), settings[name], bus))
            for name, build in builds.items()
        }
        transport = httpx.ASGITransport(mount_services({name: o.app for name, o in opened.items()}))
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://steward"))
        yield Harness(http, issuer, heard, pools)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
