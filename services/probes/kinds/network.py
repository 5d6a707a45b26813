"""Connections: each phase timed, each fault told in the words that all kinds share."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from services.probes.dicom import network as faults
from services.probes.dicom.domain import DicomFailure
from services.probes.kinds.attempt import Attempt, Ended
from services.probes.kinds.domain import Observation

Host = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=253, pattern=r"^[^\s/@\\?#]+$"),
    Field(description="host name or address", examples=["pacs.north.example.org"]),
]
Port = Annotated[int, Field(ge=1, le=65_535)]
Address = tuple[int, Any]
"""A family of sockets and what its `connect` takes."""

_NEXT_ADDRESS_AFTER = 1.0
_HANDSHAKE_SECONDS = 86_400.0


async def resolve(attempt: Attempt, host: str, port: int, kind: int = socket.SOCK_STREAM) -> list[Address]:
    """The addresses of the host, in the resolver's order of preference.

    A cancelled look-up goes on in its thread until the system's resolver gives up.
    """
    with suppress(OSError, ValueError):
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)
        return [(family, address) for family, _, _, _, address in found]
    with attempt.phase("dns"):
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
        except (OSError, ValueError) as exc:
            raise _ended(faults.not_resolved(host, exc)) from exc
    return [(family, address) for family, _, _, _, address in found]


@asynccontextmanager
async def connected(
    attempt: Attempt, host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for the time within; at its end it is dropped without a word more."""
    reader, writer = await open_connection(attempt, host, port, tls, server_name)
    try:
        yield reader, writer
    except (OSError, EOFError) as exc:
        raise disconnected(exc) from exc
    finally:
        await drop(writer)


async def open_connection(
    attempt: Attempt, host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection, with TLS if there is a context for it. Raises Ended."""
    connection = await connect(attempt, host, port)
    try:
        if tls is None:
            return await asyncio.open_connection(sock=connection)
        with attempt.phase("tls"):
            return await asyncio.open_connection(
                sock=connection,
                ssl=tls,
                server_hostname=server_name or host,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            )
    except (OSError, EOFError, ValueError) as exc:
        connection.close()
        raise disconnected(exc) from exc
    except BaseException:
        connection.close()
        raise


async def drop(writer: asyncio.StreamWriter) -> None:
    """Ends the connection at once, and returns when it is gone."""
    writer.transport.abort()
    with suppress(OSError, EOFError):
        await writer.wait_closed()


def not_connected(fault: OSError) -> Ended:
    """A connection could not be made."""
    return _ended(faults.not_connected(fault))


def disconnected(fault: BaseException) -> Ended:
    """A connection broke before the peer's answer was whole, be it in the TLS handshake."""
    return _ended(faults.disconnected(fault))


async def connect(attempt: Attempt, host: str, port: int) -> socket.socket:
    """A connected socket, which doesn't block. Raises Ended."""
    *others, last = await resolve(attempt, host, port)
    with attempt.phase("tcp"):
        for address in others:
            with suppress(OSError):
                async with asyncio.timeout(_NEXT_ADDRESS_AFTER):
                    return await _connect_to(address)
        try:
            return await _connect_to(last)
        except OSError as exc:
            raise not_connected(exc) from exc


async def _connect_to(address: Address) -> socket.socket:
    family, where = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, where)
    except BaseException:
        connection.close()
        raise
    return connection


def _ended(failure: DicomFailure) -> Ended:
    return Ended(Observation(failure.outcome, failure.failure, failure.detail))
