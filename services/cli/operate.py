"""Commands for operators: up, run, migrate, token, settings.

What a command needs is imported when it is called, so that commands in a shell's loop need not wait for all of it.
"""

import asyncio
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.registry import OWNING_DATA, SERVICES, migrations, settings_class

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from pydantic_settings import BaseSettings

    from services.cli.settings import MigrateSettings

HOME = Path(".steward")


@click.command()
@click.option("--home", type=click.Path(path_type=Path), default=HOME, show_default=True, help="Folder of all data.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; a free one unless told.")
@click.option("--fleet/--no-fleet", default=True, show_default=True, help="Run the simulated group of two hospitals.")
def up(home: Path, port: int, fleet: bool) -> None:
    """Run the whole system in this process until Ctrl-C, on embedded PostgreSQL."""
    from services.up.system import run_system

    _run(run_system(home.resolve(), port, with_fleet=fleet))


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
def run(service: str) -> None:
    """Run one service as this process. Its settings are environment variables; see `steward settings`."""
    import_module(f"services.{service}.__main__").main()


@click.command()
@click.argument("services", nargs=-1, type=click.Choice(OWNING_DATA))
def migrate(services: tuple[str, ...]) -> None:
    """Bring schemas, roles, tables and topics up to date: of all services, or of those named."""
    from services.cli.settings import MigrateSettings
    from shared.settings import load

    asyncio.run(_migrate(load(MigrateSettings), services or OWNING_DATA))


async def _migrate(wanted: "MigrateSettings", services: tuple[str, ...]) -> None:
    from shared.migrate import create_topics, migrate_bus, migrate_service

    for service in services:
        applied = await migrate_service(
            wanted.admin_database, service, migrations(service), wanted.password_of(service)
        )
        click.echo(f"{service}: {', '.join(applied) or 'up to date'}")
    if wanted.bus == "postgres":
        await migrate_bus(wanted.admin_database, wanted.password_of("bus"))
    bus = wanted.open_bus()
    await create_topics(bus)
    await bus.close()
    click.echo(f"topics: up to date on {wanted.bus}")


@click.command()
@click.argument("subject")
@click.argument("grants", nargs=-1, required=True, metavar="ROLE:SITE…")
@click.option("--keys", type=click.Path(path_type=Path), default=HOME / "keys", show_default=True)
@click.option("--hours", type=click.IntRange(1, 24 * 366), default=12, show_default=True)
def token(subject: str, grants: tuple[str, ...], keys: Path, hours: int) -> None:
    """Sign a token with Steward's own issuer.

    For example: steward token anna auditor:north
    """
    from shared.grants import Grant
    from shared.issuer import Issuer

    wanted = [str(Grant.parse(grant)) for grant in grants]
    click.echo(Issuer(keys).token(subject, wanted, timedelta(hours=hours)))


@click.command()
@click.argument("service", type=click.Choice([*SERVICES, "migrate", "witness", "probe-agent"]), required=False)
def settings(service: str | None) -> None:
    """Print every setting with its meaning, default and example."""
    from services.cli.settings import MigrateSettings
    from services.compliance.witness.settings import WitnessSettings
    from services.probes.vantage.settings import VantageSettings
    from shared.settings import variable

    kinds: dict[str, type[BaseSettings]] = {name: settings_class(name) for name in SERVICES}
    kinds |= {"migrate": MigrateSettings, "witness": WitnessSettings, "probe-agent": VantageSettings}
    for name, kind in kinds.items():
        if service in (None, name):
            click.echo(f"# {name}")
            for field, info in kind.model_fields.items():
                default = "required" if info.is_required() else f"default {info.get_default(call_default_factory=True)}"
                examples = info.examples or [""]
                click.echo(f"{variable(field)}={examples[0]}  # {info.description}; {default}")
            click.echo()


def _run(work: "Coroutine[Any, Any, None]") -> None:
    import uvloop

    uvloop.run(work)
