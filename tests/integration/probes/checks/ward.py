"""A running Steward with one system to check, for tests of real peers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.events import Event
from tests.harness import Harness
from tests.integration.conftest import Run, Speak
from tests.integration.probes.checks.test_checks import CHECKS, known
from tests.integration.probes.fleet import DAY, SITE, probes, tell_system
from tests.integration.probes.kinds.asked import PLUGINS, SECRETS


@dataclass(frozen=True)
class Ward:
    """A running Steward with one system, and the folder of its secrets."""

    steward: Harness
    system: str
    secrets: Path

    async def check(self, kind: str, settings: dict[str, Any], **more: Any) -> str:
        """Makes a check that runs each second; the id of its probe."""
        draft = {"subject": self.system, "kind": kind, "name": f"Its {kind}", "settings": settings}
        answer = await self.steward.admin.post(CHECKS, json=draft | {"interval_seconds": 5} | more)
        assert answer.status_code == 201, answer.text
        return f"{kind}:{answer.json()['id']}"

    async def told(self, probe_id: str, after: datetime | None = None) -> Any:
        """The data of its first result, or of the first that was due after an instant."""

        def is_it(event: Event[Any]) -> bool:
            return event.data.probe_id == probe_id and (after is None or event.data.due_at > after)

        event: Event[Any] = await self.steward.heard.until("probe.result", is_it)
        assert event.subject == self.system
        return event.data


@asynccontextmanager
async def warded(run: Run, speak: Speak, folder: Path, **more: Any) -> AsyncIterator[Ward]:
    """Probes with secrets, plugins and ``more`` settings, which inventory has told of a system."""
    secrets = folder / "secrets"
    secrets.mkdir()
    for name, value in SECRETS.items():
        (secrets / f"{SITE}.{name}").write_text(f"{value}\n")
    settings = {"probe_interval": DAY, "probe_secrets": str(secrets), "probe_commands": PLUGINS, **more}
    async with run(**probes(**settings)) as steward, speak("inventory") as inventory:
        yield Ward(steward, await known(steward, await tell_system(inventory)), secrets)
