"""Steward as the compose file runs it: seven processes on Kafka and a PostgreSQL server, beside real archives."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import asyncpg
import httpx

from services.registry import SERVICES
from services.up.fleet import register
from services.up.postgres import EmbeddedPostgres
from services.up.system import BRISK, GRANTS
from shared.issuer import Issuer
from shared.settings import variable
from tests.conftest import NOT_DURABLE
from tests.e2e.walkthrough.archives import RealFleet
from tests.e2e.walkthrough.compose import Container, Places
from tests.e2e.walkthrough.gateway import Gateway
from tests.e2e.walkthrough.readme import PROJECT, shell_environment
from tests.parts.kafka import KafkaBroker
from tests.parts.process import Part, free_port

MIGRATION_SECONDS = 120


class ServiceProcess(Part):
    """One service by its command and environment of the compose file, on a port of its own."""

    def __init__(self, folder: Path, container: Container, port: int, here: dict[str, str]) -> None:
        self.name = container.name
        super().__init__(folder)
        self.port = port
        image = {"SERVICE": self.name, "STEWARD_HTTP_HOST": "127.0.0.1", "STEWARD_HTTP_PORT": str(port)}
        self._environment = shell_environment(folder) | image | container.environment() | here
        self._command = container.command()

    def command(self) -> Sequence[str]:
        return ["env", "--ignore-environment", *(f"{k}={v}" for k, v in self._environment.items()), *self._command]

    def answers(self) -> bool:
        with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("GET", f"/{self.name}/health/ready")
            return connection.getresponse().status == httpx.codes.OK
        return False


def _here(service: str, listen_port: int) -> dict[str, str]:
    """The cadence of `steward up`, so that nobody waits minutes for an alert, and the port that archives know."""
    brisk = {variable(name): str(value) for name, value in BRISK.get(service, {}).items()}
    return brisk | ({"STEWARD_PROBE_LISTEN_PORT": str(listen_port)} if service == "probes" else {})


@contextmanager
def distributed(folder: Path) -> Iterator[Mapping[str, str]]:
    """Runs it all; gives the variables that tell a shell in ``folder`` where it is."""
    with ExitStack() as stack:
        database_port, ports = free_port(), {name: free_port() for name in SERVICES}
        listen_port = free_port()
        fleet = RealFleet(folder / "fleet", {"STEWARD": ("127.0.0.1", listen_port)})
        gateway = stack.enter_context(Gateway(folder / "mailbox", fleet, ports))
        kafka = KafkaBroker(folder / "kafka")
        addresses = {
            "kafka:9092": kafka.bootstrap,
            "mailpit": "127.0.0.1",
            "1025": str(gateway.mailbox.port),
            "http://gateway:8080": gateway.url,
        }
        places = Places(folder / "volumes", folder / "secrets", folder / "fleet", addresses)
        command = [str(PROJECT / "deploy/make-secrets"), str(places.secrets), f"127.0.0.1:{database_port}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        listening = {"listen_addresses": "127.0.0.1", "port": str(database_port), "max_connections": "200"}
        with ThreadPoolExecutor() as pool:
            started = pool.submit(stack.enter_context, kafka)
            postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres", NOT_DURABLE | listening))
            stack.callback(fleet.stop)
            fleet.start()
            started.result()
        asyncio.run(_create_owner(postgres, database_port, places.secrets))
        for name in ("migrate", "issuer"):
            _run_to_its_end(Container.find(name, places), folder)
        processes = [
            ServiceProcess(folder / "logs", Container.find(name, places), ports[name], _here(name, listen_port))
            for name in SERVICES
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(stack.enter_context, processes))
        token = Issuer(places.volumes / "issuer" / "keys").token("admin", GRANTS)
        asyncio.run(_register(gateway.url, token, fleet))
        yield shell_environment(
            folder,
            STEWARD_URL=gateway.url,
            STEWARD_TOKEN=token,
            STEWARD_MAILBOX=f"{gateway.url}/demo/mailbox",
            STEWARD_DEMO=f"{gateway.url}/demo",
        )


async def _create_owner(postgres: EmbeddedPostgres, port: int, secrets: Path) -> None:
    """What the image of PostgreSQL makes at its first start: the owner and an empty database."""
    password = (postgres.directory / "password").read_text()
    admin = await asyncpg.connect(host="127.0.0.1", port=port, user="postgres", password=password, database="postgres")
    try:
        owner_password = (secrets / "owner_password").read_text()
        await admin.execute(f"CREATE ROLE steward_owner SUPERUSER LOGIN PASSWORD '{owner_password}'")
        await admin.execute("CREATE DATABASE steward OWNER steward_owner")
    finally:
        await admin.close()


def _run_to_its_end(container: Container, folder: Path) -> None:
    done = subprocess.run(
        container.command(),
        cwd=folder,
        env=shell_environment(folder) | container.environment(),
        capture_output=True,
        text=True,
        timeout=MIGRATION_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{container.name}: {done.stdout}{done.stderr}"


async def _register(url: str, token: str, fleet: RealFleet) -> None:
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        await register(client, fleet)
