"""Services as processes of their own, by the entry point and the environment that compose uses."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.ground import PROJECT, House
from services.registry import OWNING_DATA
from shared.issuer import Issuer
from tests.parts.process import Part, free_port

GRANTS = ("group-admin:*", "auditor:*")


class ServiceProcess(Part):
    """`steward run SERVICE`."""

    starts_within = 90.0

    def __init__(self, service: str, folder: Path, environment: dict[str, str]) -> None:
        super().__init__(folder)
        self.name = self.service = service
        self.port = free_port()
        self._environment = {**environment, "STEWARD_HTTP_PORT": str(self.port), "PYTHONPATH": str(PROJECT)}
        self.url = f"http://127.0.0.1:{self.port}/{service}"

    def command(self) -> Sequence[str]:
        settings = [f"{name}={value}" for name, value in self._environment.items()]
        return ["env", *settings, sys.executable, "-m", "services", "run", self.service]

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def pid(self) -> int:
        """The process; `env` has become it."""
        assert self._process is not None
        return self._process.pid


@dataclass(frozen=True)
class Running:
    """Running services by name, and a token that may do everything."""

    services: dict[str, ServiceProcess]
    token: str


@asynccontextmanager
async def running(
    house: House, folder: Path, names: Sequence[str], settings: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Starts the services, all at once, each with these settings besides its own, and stops them at the end."""
    issuer = Issuer(folder / "keys")
    more = dict(settings or {})
    found = {name: ServiceProcess(name, folder, environment(house, issuer, folder, name) | more) for name in names}
    async with AsyncExitStack() as stack:
        for process in found.values():
            stack.push_async_callback(asyncio.to_thread, process.stop)
        await asyncio.gather(*(asyncio.to_thread(process.start) for process in found.values()))
        yield Running(found, issuer.token("benchmark", GRANTS))


def environment(house: House, issuer: Issuer, folder: Path, service: str) -> dict[str, str]:
    """The settings of one service; nobody listens on its mail server's port, and no mail is sent."""
    settings = {
        "STEWARD_OIDC_JWKS": str(issuer.jwks_file),
        "STEWARD_LOG_LEVEL": "warning",
        "STEWARD_BUS": "kafka" if house.kafka else "postgres",
        "STEWARD_KAFKA": house.kafka or "localhost:9092",
        "STEWARD_BUS_DATABASE": house.login("bus"),
        "STEWARD_SMTP_HOST": "127.0.0.1",
        "STEWARD_SMTP_TLS": "none",
        "STEWARD_MAIL_SENDER": "steward@steward.example",
        "STEWARD_BACKUP_REPOSITORIES": str(folder / "repositories"),
        "STEWARD_BACKUP_ROOTS": str(folder / "archives"),
        "STEWARD_BACKUP_WORK": str(folder / "backup"),
        "STEWARD_BACKUP_PASSWORD": "benchmark",
    }
    return settings | ({"STEWARD_DATABASE": house.login(service)} if service in OWNING_DATA else {})
