"""A trace collector: receives OTLP over HTTP (opentelemetry-proto, collector/trace/v1) and keeps the spans."""

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Self

import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@dataclass(frozen=True)
class Span:
    """What is kept of a span."""

    service: str
    name: str
    trace_id: str


@dataclass
class Collector:
    """Listens on ``port`` from when it is entered."""

    port: int = 0
    spans: list[Span] = field(default_factory=list)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Self:
        app = Starlette(routes=[Route("/v1/traces", self._receive, methods=["POST"])])
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        self._serving = asyncio.create_task(self._server.serve([listening]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._serving

    async def until(self, services: set[str], seconds: float) -> str:
        """The id of a trace that has spans of all these services."""

        def found() -> str | None:
            seen: dict[str, set[str]] = {}
            for span in self.spans:
                seen.setdefault(span.trace_id, set()).add(span.service)
            return next((trace for trace, told in seen.items() if services <= told), None)

        async with self._news, asyncio.timeout(seconds):
            await self._news.wait_for(lambda: found() is not None)
        trace_id = found()
        assert trace_id is not None
        return trace_id

    async def _receive(self, request: Request) -> Response:
        told = ExportTraceServiceRequest.FromString(await request.body())
        async with self._news:
            for resource in told.resource_spans:
                [service] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                for scope in resource.scope_spans:
                    self.spans += [Span(service, span.name, span.trace_id.hex()) for span in scope.spans]
            self._news.notify_all()
        return Response(b"", media_type="application/x-protobuf")
