"""Servers that answer as the documented APIs of NetBox and dcm4chee-arc do, and some that don't."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Peer:
    """What a server answers by path: JSON, a list that it pages as NetBox does, or a status. It counts requests."""

    lists: Mapping[str, list[Any]] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    token: str | None = None
    statuses: list[int] = field(default_factory=list)
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str, authorization: str | None) -> tuple[int, Any]:
        """The status and the body for a request."""
        self.asked.append(target)
        if self.statuses:
            return self.statuses.pop(0), {}
        if self.token is not None and authorization != self.token:
            return 403, {"detail": "Invalid token"}
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path in self.lists:
            return 200, self._page(path, int(query["limit"][0]), int(query["offset"][0]))
        return (200, self.answers[path]) if path in self.answers else (404, {"detail": "Not found."})

    def _page(self, path: str, limit: int, offset: int) -> dict[str, Any]:
        limit = min(limit, 2)
        rows = self.lists[path]
        following = f"{self.url}{path}?limit={limit}&offset={offset + limit}" if offset + limit < len(rows) else None
        return {"count": len(rows), "next": following, "previous": None, "results": rows[offset : offset + limit]}


@contextmanager
def answering(peer: Peer) -> Iterator[Peer]:
    """The server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = peer.answer(self.path, self.headers.get("Authorization"))
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/")
            if status == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    peer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
