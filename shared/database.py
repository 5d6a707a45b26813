"""Connections to PostgreSQL: a service's pool, confined to its schema, and which faults will pass by themselves."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from shared.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes are generic for the type checker only
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 3.0

_PASSING: tuple[type[BaseException], ...] = (
    Unavailable,
    OSError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)


def is_transient(exc: BaseException) -> bool:
    """Whether a fault of the database or the network passes by itself; such a fault never quarantines a message."""
    if isinstance(exc, asyncpg.InterfaceError):
        # The driver has no class of its own for "your connection is gone"; it shares this one with wrong arguments.
        return not isinstance(exc, ValueError) and ("clos" in str(exc) or "released" in str(exc))
    return isinstance(exc, _PASSING)


def found(row: asyncpg.Record | None, what: str) -> asyncpg.Record:
    """The row. Raises NotFound without one, in the words that also stand for what a caller may not see."""
    if row is None:
        raise NotFound(f"no {what}")
    return row


JSONB_VERSION = b"\x01"
"""What PostgreSQL puts before the text of a jsonb value, where values are sent as bytes (``jsonb_recv``)."""


async def _prepare(conn: "Connection") -> None:
    # As bytes: COPY takes no other form.
    for name, mark in (("json", b""), ("jsonb", JSONB_VERSION)):
        encoder, decoder = partial(_encoded, mark), partial(_decoded, len(mark))
        await conn.set_type_codec(name, encoder=encoder, decoder=decoder, schema="pg_catalog", format="binary")


def _encoded(mark: bytes, value: object) -> bytes:
    """A value as JSON; bytes are JSON already."""
    return mark + (value if isinstance(value, bytes) else json.dumps(value).encode())


def _decoded(mark: int, raw: bytes) -> Any:
    return json.loads(raw[mark:].decode())


async def _keep_session(conn: "Connection") -> None:
    """In the place of asyncpg's reset, which asks the server for what never changes here: see ``open_pool``."""


async def open_pool(dsn: str, *, schema: str, application: str, max_size: int = 8) -> "Pool":
    """A pool whose connections see only ``schema``. Raises Unavailable when the first one can't be made.

    What is done on them must leave the session as it is, since it is not reset: settings and advisory locks are those
    of a transaction, and who wants to LISTEN opens a connection by ``connect``.
    """
    with _reaching():
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=max_size,
            init=_prepare,
            reset=_keep_session,
            timeout=CONNECT_SECONDS,
            command_timeout=60,
            max_inactive_connection_lifetime=60,
            server_settings={"search_path": schema, "application_name": application},
        )


async def close_pool(pool: Pool) -> None:
    """Closes a pool's connections once what is running on them has ended, or cuts them after some seconds."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except (TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        pool.terminate()


async def connect(
    dsn: str, *, schema: str, application: str, settings: Mapping[str, str] | None = None
) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool, for locks and LISTEN, which belong to a session. Raises Unavailable."""
    with _reaching():
        conn: asyncpg.Connection[Any] = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=60,
            server_settings={"search_path": schema, "application_name": application, **(settings or {})},
        )
        try:
            await _prepare(conn)
        except BaseException:
            conn.terminate()
            raise
    return conn


@contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except TimeoutError as exc:
        raise Unavailable(f"the database does not answer within {CONNECT_SECONDS} s") from exc
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise Unavailable(f"the database can't be reached: {exc}") from exc
