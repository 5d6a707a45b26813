"""Puts a service together and runs it: its routes, its consumer, its relay and its schedules over one pool.

``services/X/__main__.py`` builds a Service; here it is opened, alone (`steward run X`) or beside others (`steward up`).
"""

import asyncio
import signal
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import uvicorn
from fastapi import APIRouter

from shared import api_keys, telemetry
from shared.bus import Bus
from shared.consumer import Consumer, Handler, Handlers, Reader
from shared.database import Pool, close_pool, open_pool
from shared.errors import WrongSetting
from shared.events import EventData
from shared.http import mount_services, service_app
from shared.http.app import Health
from shared.http.call import RouteContext
from shared.http.quarantine import router as quarantine
from shared.identity import Identity, Keys
from shared.relay import Relay
from shared.settings import ListenSettings, ServiceSettings
from shared.supervise import Supervisor, Work

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SWEEP_SECONDS = 3600.0


HandlerTable = Mapping[type[EventData], Handler]


@dataclass(frozen=True)
class Service:
    """What one service consists of. ``work`` are its schedules and effect runners, each a coroutine that never ends.

    ``handlers`` are the tables of its capabilities; an event that several of them handle is handled in their order.

    ``reader`` makes what reads the bus in the place of the consumer; a service that has one has no handlers. ``close``
    ends what it holds open itself, once its work has ended.
    """

    name: str
    routers: Sequence[APIRouter] = ()
    handlers: Sequence[HandlerTable] = ()
    reader: Callable[[Bus], Reader] | None = None
    work: Mapping[str, Work] = field(default_factory=dict)
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Opened:
    """A running service."""

    service: Service
    app: "ASGIApp"


Build = Callable[[Pool], Service]


def handler_table(*tables: HandlerTable) -> Handlers:
    """Joins the tables of a service's capabilities; an event that several handle is handled in their order."""
    joined: dict[type[EventData], list[Handler]] = defaultdict(list)
    for table in tables:
        for contract, handler in table.items():
            joined[contract].append(handler)
    return joined


@asynccontextmanager
async def open_service(name: str, build: Build, settings: ServiceSettings, bus: Bus) -> AsyncIterator[Opened]:
    """Starts the service's background work and gives its application; stops it all at the end."""
    pool = await open_pool(settings.database, schema=name, application=f"steward-{name}")
    tasks: list[asyncio.Task[None]] = []
    service = None
    try:
        service = build(pool)
        handlers = handler_table(*service.handlers, api_keys.HANDLERS)
        reader = service.reader(bus) if service.reader else Consumer(name, pool, bus, handlers)
        supervisor = Supervisor(name)
        identity = Identity(settings.oidc_issuer, settings.oidc_audience, Keys(settings.oidc_jwks), pool)
        work = {
            "relay": Relay(name, settings.database, bus).run,
            "consumer": reader.run,
            "bus_sweep": lambda: sweep_bus(bus),
            **service.work,
        }
        tasks = [asyncio.create_task(supervisor.keep_running(n, w), name=f"{name}.{n}") for n, w in work.items()]

        async def ready() -> Health:
            try:
                await measure(pool, name)
            except Exception as exc:
                return Health(False, supervisor.faults | {"database": repr(exc)})
            return Health(True, dict(supervisor.faults))

        context = RouteContext(name, pool, identity, reader)
        yield Opened(service, service_app(context, [*service.routers, quarantine], ready))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if service is not None and service.close is not None:
            await service.close()
        await close_pool(pool)


async def measure(pool: Pool, service: str) -> None:
    """Brings the gauges up to date that only the service's database knows."""
    row = await pool.fetchrow(
        """SELECT (SELECT count(*) FROM outbox) AS pending,
                  (SELECT count(*) FROM quarantine WHERE state = 'held') AS held"""
    )
    assert row is not None  # noqa: S101 -- a SELECT without FROM has a row
    telemetry.OUTBOX_PENDING.labels(service).set(row["pending"])
    telemetry.QUARANTINE_HELD.labels(service).set(row["held"])


async def run_alone(name: str, build: Build, settings: ServiceSettings) -> None:
    """Runs one service as a process of its own until SIGTERM or SIGINT."""
    telemetry.configure_logs(settings.log_level)
    telemetry.configure_traces(name, settings.otlp_endpoint)
    bus = settings.open_bus()
    try:
        async with open_service(name, build, settings, bus) as opened:
            await serve({name: opened.app}, settings, listen(settings))
    finally:
        await bus.close()


def listen(settings: ListenSettings) -> socket.socket:
    """A listening socket, so that the port is known before anything is announced. Raises WrongSetting."""
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        sock = socket.create_server((settings.http_host, settings.http_port), family=family, backlog=512)
    except OSError as exc:
        where = f"{settings.http_host}:{settings.http_port}"
        raise WrongSetting(f"STEWARD_HTTP_PORT: nothing can listen on {where}: {exc}") from exc
    sock.setblocking(False)
    # asyncio does so only where it knows the protocol; else an answer's body waits 40 ms for its header's receipt.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def serve(apps: "Mapping[str, ASGIApp]", settings: ListenSettings, sock: socket.socket) -> None:
    """Serves the applications on ``sock`` until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        mount_services(dict(apps)),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    telemetry.log.info("http.listening", address="{}:{}".format(*cast(tuple[str, int], sock.getsockname())[:2]))
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, setattr, server, "should_exit", True)
    await server.serve(sockets=[sock])


async def sweep_bus(bus: Bus) -> None:
    """Keeps the embedded bus within its retention. Any number may; what one has deleted, the others do not find."""
    while True:
        await bus.sweep()
        await asyncio.sleep(SWEEP_SECONDS)
