"""`--reason` of the commands that change something, in the history of what they changed."""

import asyncio
import sys
from typing import Any

import httpx
import pytest

from services.__main__ import main
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run
from tests.integration.inventory.test_sites import INVENTORY, NORTH


async def test_every_change_can_say_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is created, done, changed and deleted, in any script; one that nobody can read is refused."""

    async def call(*arguments: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["steward", *arguments])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        told = capsys.readouterr()
        assert ended.value.code == status, told.err
        return told.err if status else told.out

    async def made(*arguments: str) -> str:
        return (await call(*arguments, "--print", "id")).splitlines()[-1]

    async with run(**INVENTORY) as steward:
        await steward.admin.post("/inventory/v1/sites", json=NORTH)
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        async with serving(transport.app) as url:
            monkeypatch.setenv("STEWARD_URL", url)
            monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("admin", ("group-admin:*",)))
            ups = await made("create", "components", "site_id=north", "type=ups", "name=A", "--reason", "Störung, 修补")
            shown = ("kind=senders_repointed", "statement=No device draws from it since March.")
            await call("do", "assets", ups, "evidence", *shown, "--reason", "for the round")
            await call("change", "components", ups, "name=B", "--reason", "renamed")
            group = await made("create", "groups", "name=West")
            await call("delete", "groups", group, "--reason", "empty")
            refused = await call("create", "groups", "name=East", "--reason", "x" * 201, status=1)
        changes: list[dict[str, Any]] = (await steward.admin.get("/inventory/v1/history")).json()["items"]
    assert "Change-Reason" in refused
    told = [(one["kind"], one["version"], one["reason"]) for one in changes if one["kind"] != "site"]
    assert told == [
        ("component", 1, "Störung, 修补"),
        ("evidence", 1, "for the round"),
        ("component", 2, "renamed"),
        ("group", 1, None),
        ("group", 2, "empty"),
    ]
