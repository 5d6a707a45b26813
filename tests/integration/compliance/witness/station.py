"""Runs witnesses in this process, behind real HTTP on free ports."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp

from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.note import SignerKey
from services.compliance.checkpoints.witnesses import Witness
from services.compliance.witness.__main__ import open_witness
from services.compliance.witness.settings import WitnessSettings
from shared.http import mount_services
from shared.service import listen
from tests.small_log import ORIGIN, key_of

KEY = key_of("north.example/witness", CosignatureKey)
PLAIN = {"Content-Type": "text/plain"}


@dataclass(frozen=True)
class Running:
    """A witness that runs, and a client of its HTTP."""

    url: str
    http: httpx.AsyncClient
    key: SignerKey

    @property
    def witness(self) -> Witness:
        """As a log has it in its settings."""
        assert isinstance(self.key.verifier, CosignatureKey)
        return Witness(self.key.verifier, self.url)

    async def submit(self, body: bytes) -> httpx.Response:
        """Hands in a checkpoint."""
        return await self.http.post("/add-checkpoint", content=body)

    async def refused(self) -> list[dict[str, Any]]:
        """The contradictions that it keeps."""
        items: list[dict[str, Any]] = (await self.http.get("/refused")).json()["items"]
        return items


def settings(
    folder: Path, *, key: SignerKey = KEY, logs: Sequence[SignerKey] = (), alert_url: str | None = None
) -> WitnessSettings:
    """The settings of a witness, of the small log unless told."""
    known = logs or (key_of(ORIGIN),)
    return WitnessSettings(
        http_port=0,
        witness_key=SecretStr(key.reveal()),
        witness_logs=" ".join(str(log.verifier) for log in known),
        witness_state=folder,
        witness_alert_url=alert_url,
    )


@asynccontextmanager
async def running(wanted: WitnessSettings, port: int = 0) -> AsyncIterator[Running]:
    """A witness with these settings, on a free port or on this one."""
    async with (
        open_witness(wanted) as app,
        serving(mount_services({"": app}), port) as url,
        httpx.AsyncClient(base_url=url, headers=PLAIN) as client,
    ):
        yield Running(url, client, wanted.key())


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serves an application on a free port or on this one; gives its URL."""
    sock = listen(WitnessSettings.model_construct(http_host="127.0.0.1", http_port=port))
    port = sock.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
