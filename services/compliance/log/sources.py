"""Where `steward log verify` reads a log: a running service, over REST, or its database."""

from base64 import b64decode
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter

from services.compliance.log import store
from services.compliance.log.bundle import CHUNK
from services.compliance.log.domain import Claim, Indexed, Root, Stored
from shared.database import Connection, connect
from shared.errors import Unavailable

PAGE = 64 * CHUNK
URL = "/compliance/v1/log"

_indexed = TypeAdapter(Indexed)
_instant = TypeAdapter(datetime)
T = TypeVar("T")


class DatabaseSource:
    """The log in a database, as one transaction sees it. Made by ``database_source``."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._size = 0

    async def claim(self) -> Claim:
        """The head, with the frontier and the sites' next sequences."""
        claim = await store.select_claim(self._conn)
        self._size = claim.size
        return claim

    async def stored(self) -> AsyncGenerator[Stored]:
        """All entries and index rows below the head, and the first beyond it if there is one."""
        for start in range(0, self._size, PAGE):
            for stored in await store.select_stored(self._conn, start, min(start + PAGE, self._size)):
                yield stored
        beyond = await store.select_first_beyond(self._conn, self._size)
        if beyond is not None:
            yield Stored(beyond, None, None, None)

    async def roots(self) -> AsyncGenerator[Root]:
        """All recorded roots."""
        after = -1
        while found := await store.select_roots(self._conn, after, PAGE):
            for root in found:
                yield root
            after = found[-1].size


@asynccontextmanager
async def database_source(dsn: str) -> AsyncIterator[DatabaseSource]:
    """Opens the log in the database behind ``dsn`` to be read, as it is at this moment."""
    conn = await connect(dsn, schema="compliance", application="steward-log-verify")
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            yield DatabaseSource(conn)
    finally:
        await conn.close()


class RestSource:
    """The log of a running service. ``client`` has its base URL and the token of a group-wide auditor."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._size = 0

    async def claim(self) -> Claim:
        """The head. Raises Unavailable when the service does not answer as it should, here and below."""
        head = await self._get("head", {})
        self._size = head["size"]
        recorded_at = head["recorded_at"]
        return Claim(self._size, b64decode(head["root"]), recorded_at and _instant.validate_python(recorded_at))

    async def stored(self) -> AsyncGenerator[Stored]:
        """The entries that the claim counts; the log may have grown since."""
        async for item in self._items("entries", "start"):
            if item["index"] >= self._size:
                return
            yield Stored(
                item["index"],
                _maybe(b64decode, item["entry"]),
                _maybe(b64decode, item["leaf_hash"]),
                _maybe(_indexed.validate_python, item["indexed"]),
            )

    async def roots(self) -> AsyncGenerator[Root]:
        """The roots of the trees that the claim counts."""
        async for item in self._items("roots", "cursor"):
            if item["previous_size"] >= self._size:
                return
            recorded_at = _instant.validate_python(item["recorded_at"])
            yield Root(item["size"], item["previous_size"], b64decode(item["root"]), recorded_at)

    async def _items(self, what: str, key: str) -> AsyncIterator[Any]:
        place: str | None = "0"
        while place is not None:
            page = await self._get(what, {key: place})
            for item in page["items"]:
                yield item
            place = page["next"]

    async def _get(self, what: str, parameters: dict[str, str]) -> Any:
        try:
            answer = await self._client.get(f"{URL}/{what}", params=parameters)
        except httpx.HTTPError as exc:
            raise Unavailable(f"{URL}/{what}: {exc!r}") from exc
        if answer.status_code != httpx.codes.OK:
            raise Unavailable(f"{URL}/{what}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def _maybe(convert: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else convert(value)
