"""A service's application: its routes under ``/{service}/v1``, health, metrics, and what every route must declare."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import telemetry
from shared.errors import TooLarge
from shared.http import problems
from shared.http.call import CORRELATION_ID, RoleRequired, RouteContext
from shared.transactions import new_id

MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Health:
    """Whether requests can be served, and what is wrong. A bus that is away is a fault, but the outbox still fills."""

    can_serve: bool = True
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """One word for a person."""
        return "not ready" if not self.can_serve else "degraded" if self.faults else "ok"


Ready = Callable[[], Awaitable[Health]]
"""Looks at the service's health, and brings the gauges up to date that only its database knows."""


def service_app(context: RouteContext, routers: Sequence[APIRouter], ready: Ready) -> FastAPI:
    """The application of one service, to be mounted at ``/{service}``.

    Raises ValueError for a route that declares no role.
    """
    app = FastAPI(title=f"Steward {context.service}", version="1", redoc_url=None)
    app.state.context = context
    problems.install(app)
    for router in routers:
        refuse_undeclared(router)
        # As they are: including a router would build every route of it anew.
        app.router.routes.extend(router.routes)
    add_operations(app, ready)
    app.add_middleware(LimitBody, larger=_larger_bodies(routers))
    app.add_middleware(Observe, service=context.service)
    return app


def _larger_bodies(routers: Sequence[APIRouter]) -> list[tuple[re.Pattern[str], int]]:
    """Which addresses take more than others, and how much: the routes that read their bodies by themselves."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    first = [(route, route.dependant.dependencies[0].call) for route in routes]
    return [
        (route.path_regex, call.reads)
        for route, call in first
        if isinstance(call, RoleRequired) and call.reads is not None
    ]


def refuse_undeclared(router: APIRouter) -> None:
    """Raises ValueError unless each route's first dependency is a RoleRequired, so that nothing answers before it."""
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise ValueError(f"{route} hides what it serves; give each router to the service by itself")
        first = next(iter(route.dependant.dependencies), None)
        if first is None or not isinstance(first.call, RoleRequired):
            raise ValueError(f"{route.methods} {route.path} declares no role; let requires(…) come first")


def add_operations(app: FastAPI, ready: Ready) -> None:
    """Adds health and metrics, which tell nothing of patients or sites and are open to whoever reaches the service."""

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/health/ready", include_in_schema=False)
    async def is_ready() -> Response:
        health = await ready()
        return JSONResponse({"status": health.status, **health.faults}, 200 if health.can_serve else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        await ready()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def mount_services(apps: dict[str, ASGIApp]) -> Starlette:
    """One application that serves each at ``/{name}``; the same URLs, alone and together."""
    return Starlette(
        routes=[Mount(f"/{name}", app) for name, app in apps.items()],
        middleware=[Middleware(Correlate)],
        exception_handlers={HTTPException: problems.http_problem},
    )


class Correlate:
    """Gives each request the id of its flow, its caller's where that names one, and tells it with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-correlation-id", "")
        correlation_id = given if re.fullmatch(CORRELATION_ID, given) else new_id()
        scope.setdefault("state", {})["correlation_id"] = correlation_id

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Correlation-Id"] = correlation_id
            await send(message)

        await self._app(scope, receive, telling)


class LimitBody:
    """Refuses a request body over 1 MiB, by its declared length and, where that lies, while it is read.

    ``larger`` are the addresses that take more, and how much.
    """

    def __init__(self, app: ASGIApp, larger: Sequence[tuple[re.Pattern[str], int]] = ()) -> None:
        self._app = app
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope)
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            await problems.problem(413, TooLarge.title, _too_large(limit))(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise HTTPException(413, _too_large(limit))
            return message

        await self._app(scope, counted, send)

    def _limit(self, scope: Scope) -> int:
        if scope["method"] != "POST" or not self._larger:
            return MAX_BODY_BYTES
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        return next((limit for pattern, limit in self._larger if pattern.match(path)), MAX_BODY_BYTES)


def _too_large(limit: int) -> str:
    return f"the body passes {limit} bytes ({limit / 2**20:.4g} MiB)"


class Observe:
    """Counts each request and runs it in a span that joins the caller's trace."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        parent = Headers(scope=scope).get("traceparent")
        try:
            with telemetry.span(f"{self._service} {scope['method']}", parent, {"url.path": scope["path"]}):
                await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            telemetry.REQUESTS.labels(self._service, scope["method"], route, str(status)).observe(
                perf_counter() - began
            )
