"""What is said when a part that a service needs is away."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.inventory.__main__ import build
from services.inventory.settings import InventorySettings
from shared import database
from shared.database import connect, open_pool
from shared.errors import Unavailable
from tests.integration.conftest import Run
from tests.parts.process import refusing_port

ROOT = Path(__file__).parents[3]


async def test_issuer_that_is_away_is_answered_503(run: Run) -> None:
    """With a word on when to try again, and no fault of the application."""
    async with run(inventory=(build, InventorySettings, {})) as steward:
        client = steward.admin
        steward.issuer.jwks_file.unlink()
        answer = await client.get("/inventory/v1/sites")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_service_without_its_database_ends_with_one_line(tmp_path: Path) -> None:
    """Exit 2, what was tried, no traceback; whoever runs it starts it again."""
    command = [sys.executable, "-m", "services", "run", "inventory"]
    with refusing_port() as port:
        dsn = f"postgresql://steward_inventory:secret@127.0.0.1:{port}/steward"
        settings = {
            "STEWARD_DATABASE": dsn,
            "STEWARD_BUS": "postgres",
            "STEWARD_BUS_DATABASE": dsn,
            "STEWARD_OIDC_JWKS": str(tmp_path / "jwks.json"),
        }
        environment = os.environ | settings
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("steward: the database can't be reached: ")
    assert ended.stderr.count("\n") == 1
    assert "secret" not in ended.stderr


async def test_database_that_never_answers_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes the connection and says nothing holds up nobody for the driver's minute."""
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://steward:secret@127.0.0.1:{silent.getsockname()[1]}/steward?sslmode=disable"
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="does not answer within"):
                await open_pool(dsn, schema="inventory", application="test")
            with pytest.raises(Unavailable, match="does not answer within"):
                await connect(dsn, schema="inventory", application="test")
