"""The two ways in which the walk-through is walked, once each for all tests of this folder."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.compliance.checkpoints.note import SignerKey
from tests.e2e.walkthrough.distributed import distributed
from tests.e2e.walkthrough.one_process import steward_up
from tests.e2e.walkthrough.readme import STEWARD, Walk, shell_environment, walk


@dataclass(frozen=True)
class Walked:
    """What the walk-through printed, and the Steward that it was walked on, which still runs."""

    walk: Walk
    api: httpx.Client
    mailbox: str
    folder: Path
    environment: Mapping[str, str]

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The first page of a list."""
        found: list[dict[str, Any]] = self.api.get(path, params=query).raise_for_status().json()["items"]
        return found

    def events(self, **query: str) -> list[dict[str, Any]]:
        """Events of the audit trail by their own time. Events of several types have no other order among each other."""
        found = self.items("/compliance/v1/events", order="asc", limit="500", **query)
        return sorted((item["event"] for item in found), key=lambda event: datetime.fromisoformat(event["time"]))

    def mails(self, **query: str) -> list[dict[str, str]]:
        """Mails that have arrived."""
        found: list[dict[str, str]] = self.api.get(self.mailbox, params=query).raise_for_status().json()
        return found

    def steward(self, *arguments: str) -> list[str]:
        """The lines that a command prints."""
        command = [str(STEWARD), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()


@pytest.fixture(scope="module", params=["one process", "distributed"])
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """`steward up`; or seven processes with the compose file's environment, Kafka, PostgreSQL, Orthanc and dcmqrscp."""
    folder = tmp_path_factory.mktemp("walk")
    with ExitStack() as stack:
        if request.param == "distributed":
            environment = stack.enter_context(distributed(folder))
            issuer_keys(folder).symlink_to(folder / "volumes" / "issuer" / "keys")
            key = SignerKey.parse((folder / "secrets" / "log_key").read_text())
            (folder / ".steward" / "log.pub").write_text(f"{key.verifier}\n")
            told = {name: environment[f"STEWARD_{name.upper()}"] for name in ("url", "token", "mailbox")}
        else:
            environment, told = shell_environment(folder), stack.enter_context(steward_up(folder)).told
        printed = walk(folder, environment)
        headers = {"Authorization": f"Bearer {told['token']}"}
        api = stack.enter_context(httpx.Client(base_url=told["url"], headers=headers, timeout=60))
        yield Walked(printed, api, told["mailbox"], folder, environment)


def issuer_keys(folder: Path) -> Path:
    """Where `steward token` looks for the issuer's keys unless told."""
    (folder / ".steward").mkdir()
    return folder / ".steward" / "keys"
