"""Stands before the services of a distributed run: one address for all, and the switches of the test's group."""

import asyncio
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from demo.fleet import Fleet
from demo.mailbox import Mailbox
from services.up.control import control_app
from tests.news import WAIT_SECONDS

METHODS = ["GET", "POST", "PUT", "DELETE"]


class Gateway:
    """Sends /{service}/… to the port of that service, as the compose file's Caddy does, and has the mailbox at /demo.

    It runs in a thread of its own while it is entered; ``url`` and the mailbox's port are known from the start on.
    """

    def __init__(self, folder: Path, fleet: Fleet, ports: Mapping[str, int]) -> None:
        self._ports = ports
        self._fleet = fleet
        self.mailbox = Mailbox(folder)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: uvicorn.Server | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="gateway")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_ready.wait(WAIT_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(30)

    async def _serve(self) -> None:
        async with httpx.AsyncClient(timeout=60) as self._client:
            routes = [
                Mount("/demo", control_app(self.mailbox, self._fleet)),
                Route("/{service}/{path:path}", self._pass_on, methods=METHODS),
            ]
            config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none")
            self._server = uvicorn.Server(config)
            await self.mailbox.start()
            self._is_ready.set()
            await self._server.serve(sockets=[self._socket])
            await self.mailbox.stop()

    async def _pass_on(self, request: Request) -> Response:
        port = self._ports.get(request.path_params["service"])
        if port is None:
            return Response(status_code=404)
        url = f"http://127.0.0.1:{port}{request.url.path}" + (f"?{request.url.query}" if request.url.query else "")
        answer = await self._client.request(
            request.method, url, headers=request.headers.items(), content=await request.body()
        )
        return Response(answer.content, answer.status_code, dict(answer.headers))
