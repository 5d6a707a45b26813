"""`steward up`: the whole system in one process on embedded PostgreSQL and the postgres bus, until Ctrl-C."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx

from demo.fleet import Fleet
from demo.mailbox import Mailbox
from services.console.__main__ import build_app as build_console
from services.console.settings import ConsoleSettings
from services.registry import OWNING_DATA, builder, migrations, settings_class
from services.up.control import control_app
from services.up.files import write_private
from services.up.fleet import register
from services.up.home import Home
from services.up.ports import same_or_free_port
from services.up.postgres import EmbeddedPostgres
from services.up.progress import step
from shared import telemetry
from shared.bus.postgres import PostgresBus
from shared.http import mount_services
from shared.issuer import Issuer
from shared.migrate import create_topics, migrate_bus, migrate_service
from shared.service import listen, open_service, serve
from shared.settings import HttpSettings, ServiceSettings

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

DATABASE = "postgres"
GRANTS = ("group-admin:*", "auditor:*", "approver:*")
TOKEN_LIFETIME = timedelta(days=7)
CALLED = "STEWARD"
"""The AE title that probes have unless another is set."""
BRISK: dict[str, dict[str, Any]] = {
    "probes": {"probe_interval": 5, "probe_retry_interval": 1, "alert_window_grace": 5},
}
"""A simulated group is watched closely, so that who tries it out need not wait."""


@dataclass(frozen=True)
class Told:
    """What a person, or a script that reads `up.json`, needs to know."""

    url: str
    console: str
    sign_in: str
    mailbox: str
    demo: str
    token: str


async def run_system(folder: "Path", port: int, *, with_fleet: bool) -> None:
    """Runs everything; ends what it started when it returns. Raises PostgresFailed when another Steward runs here."""
    home = Home(folder)
    home.make()
    telemetry.configure_logs("warning")
    telemetry.configure_traces("up", None)
    async with AsyncExitStack() as stack:
        system = _System(home, home.secrets(), Issuer(home.folder / "keys"), stack)
        await system.start_database()
        fleet = await system.start_fleet() if with_fleet else None
        await system.start_mailbox()
        http = HttpSettings(http_port=port, oidc_jwks=str(system.issuer.jwks_file))
        sock = stack.enter_context(listen(http))
        told = system.tell(sock.getsockname()[1])
        apps = await system.start_services(told, fleet)
        stack.callback(home.up_file.unlink, missing_ok=True)
        write_private(home.up_file, json.dumps(told.__dict__, indent=2) + "\n")
        print(_welcome(told, home), flush=True)  # noqa: T201 -- the command speaks to a person
        await serve(apps, http, sock)
        print("\n  stopping …", flush=True)  # noqa: T201 -- the command speaks to a person


class _System:
    """The parts in the order in which they start."""

    def __init__(self, home: Home, secrets: dict[str, str], issuer: Issuer, stack: AsyncExitStack) -> None:
        self.issuer = issuer
        self._home = home
        self._secrets = secrets
        self._stack = stack
        self._postgres = EmbeddedPostgres(home.folder / "postgres")
        self._mailbox = Mailbox(home.folder / "mailbox")
        self._listening: dict[str, Any] = {}

    async def start_database(self) -> None:
        """PostgreSQL with every schema, role, table and topic."""
        with step("PostgreSQL"):
            await asyncio.to_thread(self._postgres.start)
            self._stack.push_async_callback(asyncio.to_thread, self._postgres.stop)
        with step("tables and topics"):
            owner = self._postgres.dsn(DATABASE)
            for service in OWNING_DATA:
                await migrate_service(owner, service, migrations(service), self._secrets[service])
            await migrate_bus(owner, self._secrets["bus"])
            bus = PostgresBus(self._login("bus"))
            await create_topics(bus)
            await bus.close()

    async def start_fleet(self) -> Fleet:
        """The simulated hospitals, on the ports that they had before."""
        ports = self._home.ports()
        port = same_or_free_port(ports.get(CALLED, 0))
        self._listening = {"probe_listen_host": "127.0.0.1", "probe_listen_port": port}
        fleet = Fleet(self._home.folder / "fleet", {CALLED: ("127.0.0.1", port)})
        with step("two simulated hospitals"):
            for node in fleet.nodes:
                node.port = ports.get(node.ae_title, 0)
            self._stack.push_async_callback(asyncio.to_thread, fleet.stop)
            try:
                await asyncio.to_thread(fleet.start)
            except OSError:
                for node in fleet.nodes:
                    node.port = 0
                await asyncio.to_thread(fleet.start)
            self._home.keep_ports({CALLED: port} | {node.ae_title: node.port for node in fleet.nodes})
        return fleet

    async def start_mailbox(self) -> None:
        """The mail server that keeps what Steward sends."""
        await self._mailbox.start()
        self._stack.push_async_callback(self._mailbox.stop)

    async def start_services(self, told: Told, fleet: Fleet | None) -> "dict[str, ASGIApp]":
        """All seven services, the simulated group's switches, and the first fleet."""
        apps: dict[str, ASGIApp] = {}
        with step("seven services"):
            bus = PostgresBus(self._login("bus"))
            self._stack.push_async_callback(bus.close)
            for name in OWNING_DATA:
                settings = self._settings(name)
                opened = await self._stack.enter_async_context(
                    open_service(name, builder(name, settings), settings, bus)
                )
                apps[name] = opened.app
            inside = httpx.ASGITransport(mount_services(apps), raise_app_exceptions=False)
            apps["console"] = build_console(
                ConsoleSettings(oidc_jwks=str(self.issuer.jwks_file), console_api=told.url), inside
            )
            apps[f"demo/{self._secrets['demo']}"] = control_app(self._mailbox, fleet)
        if fleet is not None:
            headers = {"Authorization": f"Bearer {told.token}"}
            async with httpx.AsyncClient(transport=inside, base_url=told.url, headers=headers) as client:
                await register(client, fleet)
        return apps

    def tell(self, port: int) -> Told:
        """The addresses and the token."""
        url = f"http://127.0.0.1:{port}"
        token = self.issuer.token("admin", GRANTS, TOKEN_LIFETIME)
        demo = f"{url}/demo/{self._secrets['demo']}"
        sign_in = f"{url}/console/sign-in#token={token}"
        return Told(url, f"{url}/console/", sign_in, f"{demo}/mailbox", demo, token)

    def _login(self, schema: str) -> str:
        return self._postgres.dsn(DATABASE, f"steward_{schema}", self._secrets[schema])

    def _settings(self, service: str) -> ServiceSettings:
        folder = self._home.folder
        special: dict[str, dict[str, Any]] = {
            "probes": BRISK["probes"] | self._listening,
            "backup": {
                "backup_repositories": folder / "repositories",
                "backup_roots": (folder / "fleet",),
                "backup_work": folder / "backup",
                "backup_password": self._secrets["repositories"],
            },
            "compliance": {
                "log_key": self._home.log_key(),
                "log_published": folder / "log" / "checkpoint",
                "log_checkpoint_interval": 2,
            },
            "notifier": {
                "smtp_host": "127.0.0.1",
                "smtp_port": self._mailbox.port,
                "smtp_tls": "none",
                "mail_sender": "steward@steward.example",
            },
        }
        values = {
            "database": self._login(service),
            "bus": "postgres",
            "bus_database": self._login("bus"),
            "oidc_jwks": str(self.issuer.jwks_file),
        }
        settings = settings_class(service).model_validate(values | special.get(service, {}))
        assert isinstance(settings, ServiceSettings)  # noqa: S101 -- all in OWNING_DATA have a database
        return settings


def _welcome(told: Told, home: Home) -> str:
    return f"""
Steward runs.  Ctrl-C ends it and all that it started.

  API       {told.url}
  console   {told.console}
  sign in   {told.sign_in}
  mailbox   {told.mailbox}
  token     {told.token}

The same is in {home.up_file} for scripts.
What to try first is in README.md, under "A walk through it".
"""
