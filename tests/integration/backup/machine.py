"""A machine to back up: an archive's folder, repositories, and the real restic, held where a test needs it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from services.backup.__main__ import build
from services.backup.settings import BackupSettings
from shared.events.inventory import AssetChanged
from shared.service import Service
from shared.settings import ServiceSettings
from shared.transactions import begin, new_id
from tests.harness import Harness
from tests.news import WAIT_SECONDS, until
from tests.parts.process import find_program

PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Machine:
    """Folders of a backup machine."""

    folder: Path
    archive: Path
    repositories: Path
    work: Path
    restic_program: str

    @classmethod
    def at(cls, folder: Path) -> "Machine":
        """Lays out the machine, with three files in the archive."""
        archive = folder / "archive" / "north"
        (archive / "series").mkdir(parents=True)
        (archive / "series" / "1.dcm").write_bytes(os.urandom(70_000))
        (archive / "series" / "2.dcm").write_bytes(os.urandom(30_000))
        (archive / "überblick.txt").write_text("zwei Bilder\n")
        return cls(folder, archive, folder / "repositories", folder / "work", find_program("restic", package="restic"))

    def files(self) -> dict[str, bytes]:
        """The archive's files, by their path within it."""
        return contents(self.archive)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings of a backup service on this machine."""
        return {
            "backup_repositories": self.repositories,
            "backup_roots": (self.folder / "archive",),
            "backup_work": self.work,
            "backup_password": PASSWORD,
            "backup_restic": self.restic_program,
            **more,
        }

    def services(self, **more: Any) -> dict[str, Any]:
        """Backup on this machine, and an inventory that can tell of its assets, for ``run(**…)``."""
        return {
            "inventory": (lambda pool, settings: Service(name="inventory"), ServiceSettings, {}),
            "backup": (build, BackupSettings, self.settings(**more)),
        }

    def restic(self, *arguments: str, repository: str = "north/north-archive") -> str:
        """What the real restic prints when a person calls it."""
        place = ["--repo", str(self.repositories / repository), "--no-cache"]
        environment = {"PATH": os.defpath, "RESTIC_PASSWORD": PASSWORD}
        done = subprocess.run(
            [self.restic_program, *place, *arguments], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def snapshots(self, tag: str) -> list[Any]:
        """The snapshots with a tag."""
        found: list[Any] = json.loads(self.restic("snapshots", "--json", "--tag", tag)) or []
        return found

    def script(self, body: str) -> str:
        """A program to be used in restic's place; ``exec $restic "$@"`` goes on to the real one."""
        path = self.folder / "restic-instead"
        path.write_text(f"#!/bin/sh\nrestic={self.restic_program}\n{body}\n")
        path.chmod(0o755)
        return str(path)


def processes_with(text: str | Path) -> list[int]:
    """The processes with ``text`` in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(text).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


async def until_ended(processes: Iterable[int]) -> None:
    """Waits until these processes have ended."""
    loop = asyncio.get_running_loop()
    for pid in processes:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            ended = asyncio.Event()
            loop.add_reader(descriptor, ended.set)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await ended.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)


def start(command: Sequence[str | Path], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """A process that its test must end."""
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Gate:
    """Holds every real ``restic backup`` at its start until it is let through; used as a context manager."""

    def __init__(self, machine: Machine) -> None:
        arrivals, way = machine.folder / "arrivals", machine.folder / "way"
        for pipe in (arrivals, way):
            os.mkfifo(pipe)
        held = f'case " $* " in *" backup --json "*) echo >{arrivals}; read -r _ <{way};; esac'
        self.program = machine.script(f'{held}\nexec $restic "$@"')
        self._arrivals, self._way = (os.open(pipe, os.O_RDWR | os.O_NONBLOCK) for pipe in (arrivals, way))
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._arrivals, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._arrivals)
        os.close(self._arrivals)
        os.close(self._way)

    def _note(self) -> None:
        self._arrived.put_nowait(os.read(self._arrivals, 1))

    async def reached(self) -> None:
        """Returns when the next backup stands at the gate."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self._arrived.get()

    def let_through(self) -> None:
        """Lets the backup that stands there go on."""
        os.write(self._way, b"\n")


async def announce_system(steward: Harness, site_id: str = "north", **change: Any) -> str:
    """Lets inventory tell of a system, and waits until backup knows it."""
    system_id = new_id()
    asset = {"kind": "system", "name": "North archive", "state": "in_service", "version": 1} | change
    async with begin(steward.pools["inventory"], "inventory", actor="carol") as tx:
        tx.record(AssetChanged.model_validate(asset), subject=system_id, site_id=site_id)
    await until(steward.pools["backup"], "SELECT true FROM systems WHERE id = $1", system_id)
    return system_id


def set_of(system_id: str, path: Path | str, **change: Any) -> dict[str, Any]:
    """The body that protects a folder."""
    body = {"system_id": system_id, "scope": "archive", "path": str(path), "repository": "north-archive"}
    return body | change


async def protect(steward: Harness, path: Path, **change: Any) -> Any:
    """A protection set of a new system."""
    body = set_of(await announce_system(steward), path, **change)
    answer = await steward.admin.post("/backup/v1/sets", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def ask_for_run(steward: Harness, protected: Any) -> Any:
    """A planned run of a set, asked for by olga."""
    answer = await request_run(steward, protected)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def request_run(steward: Harness, protected: Any, **headers: str) -> httpx.Response:
    """The answer to olga's request for a run."""
    url = f"/backup/v1/sets/{protected['id']}/runs"
    return await steward.as_("olga", "operator:north").post(url, headers=headers)


async def failure_of(steward: Harness, run: Any) -> Any:
    """The backup.failed of a run."""
    return (await steward.heard.until("backup.failed", lambda event: event.data.run_id == run["id"])).data


async def completion_of(steward: Harness, run: Any) -> Any:
    """The backup.completed of a run."""
    return (await steward.heard.until("backup.completed", lambda event: event.data.run_id == run["id"])).data
