"""`steward probe-agent`: probes from where the service can't reach, by itself; and how it stands."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import click

from services.cli.output import show


@click.group("probe-agent", invoke_without_command=True)
@click.pass_context
def probe_agent(context: click.Context) -> None:
    """Make the probes of one vantage until Ctrl-C. Its settings are environment variables; see `steward settings`."""
    if context.invoked_subcommand is None:
        from services.probes.vantage.__main__ import main

        main()


@probe_agent.command()
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="STEWARD_AGENT_SPOOL",
    required=True,
    help="Folder of the agent's results; by default STEWARD_AGENT_SPOOL.",
)
def status(spool: Path) -> None:
    """Tell what waits on this machine's disk, what was lost, and what was put aside because it was not taken."""
    from services.probes.vantage.quarantine import Quarantine
    from services.probes.vantage.spool import look_into

    try:
        waiting, lost, oldest = look_into(spool)
    except sqlite3.Error as exc:
        raise click.ClickException(f"{spool} holds no spool that can be read: {exc}") from exc
    first: dict[str, Any] = json.loads(oldest) if oldest else {}
    aside = [{"file": str(path), **told} for path, told in Quarantine(spool).contents()]
    show({"waiting": waiting, "oldest": first.get("started_at"), "lost": lost, "quarantined": aside})
