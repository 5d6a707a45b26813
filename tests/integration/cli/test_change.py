"""`steward change` and `steward delete` work on what a thing is now, over the same REST API as everybody."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.__main__ import main
from shared.events.probes import CheckChanged
from tests.harness import Harness
from tests.integration.compliance.witness.station import serving
from tests.integration.conftest import Run, Speak
from tests.integration.probes.fleet import DAY, listening_node, probes, tell_node
from tests.news import until


@dataclass
class Desk:
    """A running service, the id of a node that it knows, and the command in an operator's hands."""

    steward: Harness
    node_id: str
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    async def call(self, *arguments: str, status: int = 0) -> str:
        """What the command prints; it must end with that status."""
        self.monkeypatch.setattr(sys, "argv", ["steward", *arguments])
        with pytest.raises(SystemExit) as ended:
            await asyncio.to_thread(main)
        told = self.capsys.readouterr()
        assert ended.value.code == status, told.err
        return told.err if status else told.out

    async def answer(self, *arguments: str) -> dict[str, Any]:
        """The JSON that the command prints, between the lines of the service's log."""
        lines = (await self.call(*arguments)).splitlines()
        answer: dict[str, Any] = json.loads("\n".join(lines[lines.index("{") : lines.index("}") + 1]))
        return answer

    async def made(self) -> dict[str, Any]:
        """A check."""
        settings = ("settings.host=pacs.invalid", "settings.port=104", "settings.ae_title=PACS")
        limits = ("limits.association.warning:=500", "limits.dimse.warning:=900")
        arguments = (f"subject={self.node_id}", "kind=dicom-echo", "name=Answers", *settings, *limits)
        return await self.answer("create", "checks", *arguments, f"interval_seconds={DAY}")


@pytest.fixture
async def desk(
    run: Run, speak: Speak, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Desk]:
    """The service with a node, behind an address."""
    async with run(**probes(probe_interval=DAY)) as steward, speak("inventory") as inventory:
        with listening_node() as node:
            node_id = await tell_node(inventory, node)
        await until(steward.pools["probes"], "SELECT count(*) = 1 FROM assets")
        transport = steward.http._transport
        assert isinstance(transport, httpx.ASGITransport)
        async with serving(transport.app) as url:
            monkeypatch.setenv("STEWARD_URL", url)
            monkeypatch.setenv("STEWARD_TOKEN", steward.issuer.token("otto", ["operator:north", "viewer:north"]))
            yield Desk(steward, node_id, monkeypatch, capsys)


async def test_a_change_leaves_what_it_does_not_name(desk: Desk) -> None:
    """Inside of settings and limits too; what is JSON takes the place of all. The reason comes with the event."""
    check = await desk.made()
    changes = ("interval_seconds=3600", "settings.port=11112", "limits.dimse.warning:=800", "reachability:=true")
    changed = await desk.answer("change", "checks", check["id"], *changes, "--reason", "it moved")
    assert changed == check | {
        "version": 2,
        "interval_seconds": 3600,
        "settings": check["settings"] | {"port": 11112},
        "limits": check["limits"] | {"dimse": check["limits"]["dimse"] | {"warning": 800}},
        "reachability": True,
    }
    emptied = await desk.answer("change", "checks", check["id"], "limits={}", "severity=warning")
    assert emptied == changed | {"version": 3, "limits": {}, "severity": "warning"}
    event = await desk.steward.heard.until("check.changed", lambda event: event.data.version == 2)
    assert isinstance(event.data, CheckChanged)
    assert (event.actor, event.data.reachability) == ("otto", True)


async def test_a_check_is_deleted_and_shown_a_last_time(desk: Desk) -> None:
    """It is there no more."""
    check = await desk.made()
    assert await desk.answer("delete", "checks", check["id"]) == check
    assert (await desk.answer("get", "checks"))["items"] == []
    assert "no check" in await desk.call("delete", "checks", check["id"], status=1)


async def test_what_is_wrong_is_told_and_changes_nothing(desk: Desk) -> None:
    """A field that can't be changed, a value that does not do, and a thing that nobody can change."""
    check = await desk.made()
    assert "kind" in await desk.call("change", "checks", check["id"], "kind=tcp", status=1)
    assert "interval_seconds" in await desk.call("change", "checks", check["id"], "interval_seconds=often", status=1)
    assert "results can't be changed" in await desk.call("change", "results", check["id"], "detail=x", status=1)
    assert await desk.answer("get", "checks", check["id"]) == check
