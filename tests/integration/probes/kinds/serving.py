"""Web servers for kinds to ask: any ASGI application on a free port, with or without TLS."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from tests.parts.certificates import Certificate


@asynccontextmanager
async def serving(routes: Sequence[Route] | Any, certificate: Certificate | None = None) -> AsyncIterator[str]:
    """The address of a server for these routes, or for any ASGI application."""
    application: Any = Starlette(routes=list(routes)) if isinstance(routes, list | tuple) else routes
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            host="127.0.0.1",
            port=0,
            lifespan="off",
            log_config=None,
            ws="none",
            ssl_certfile=str(certificate.chain) if certificate else None,
            ssl_keyfile=str(certificate.key) if certificate else None,
            timeout_graceful_shutdown=1,
        )
    )
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    running = asyncio.create_task(server.main_loop())
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running
        await server.shutdown()


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form that was sent."""
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
