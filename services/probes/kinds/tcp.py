"""The kind ``tcp``: does something listen, and does it greet as it should?"""

from asyncio import StreamReader
from datetime import timedelta
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.domain import Observation
from services.probes.kinds.network import Host, Port, connected

LONGEST_GREETING = 4096


class TcpSettings(BaseModel):
    """The port to connect to, and the greeting to expect of it, if any."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"host": "ris.north.example.org", "port": 2575}]}
    )

    host: Host
    port: Port = Field(description="TCP port", examples=[2575])
    greeting: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="text that the peer says first, somewhere in its first 4096 bytes; by default none is awaited",
        examples=["220 "],
    )


class Tcp(Asking[TcpSettings]):
    """A connection, and where a greeting is set, the wait for it."""

    name = "tcp"
    summary = "Opens a TCP connection; where a greeting is set, waits for it."
    settings = TcpSettings
    asks_for_reach = True
    interval = timedelta(seconds=60)
    failures: ClassVar = NETWORK_FAILURES | {"greeting": "the peer greets, but not with the text that is expected"}

    async def ask(self, settings: TcpSettings, attempt: Attempt) -> Observation:
        """Connects and leaves."""
        async with connected(attempt, settings.host, settings.port) as (reader, _):
            if settings.greeting is not None:
                with attempt.phase("answer"):
                    await _await_greeting(reader, settings.greeting.encode())
        return Observation("ok", None, f"Port {settings.port} takes connections.")


async def _await_greeting(reader: StreamReader, text: bytes) -> None:
    said = b""
    while text not in said:
        more = await reader.read(LONGEST_GREETING - len(said))
        said += more
        if not more and text not in said:
            raise failed("greeting" if said else "closed", _said_instead(said))


def _said_instead(said: bytes) -> str:
    if not said:
        return "The peer closed the connection without a greeting."
    shown = said[:80].decode(errors="replace")
    return f"The peer does not greet as expected, but begins with {shown!r}."
