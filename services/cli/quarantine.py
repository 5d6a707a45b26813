"""`steward quarantine`: what could not be applied, and what to do with it."""

import click

from services.cli.output import show
from services.cli.rest import api, ask
from services.registry import OWNING_DATA

SERVICE = click.Choice(OWNING_DATA)


@click.group()
def quarantine() -> None:
    """List, replay and discard messages that a service could not read or apply."""


@quarantine.command("list")
@click.argument("service", type=SERVICE)
@click.option("--state", type=click.Choice(["held", "replayed", "discarded"]), default="held", show_default=True)
def list_held(service: str, state: str) -> None:
    """List a service's quarantined messages with their reasons."""
    with api() as client:
        show(ask(client, "GET", f"/{service}/v1/quarantine", params={"state": state}))


@quarantine.command()
@click.argument("service", type=SERVICE)
@click.argument("message_id")
def replay(service: str, message_id: str) -> None:
    """Apply a message now, after its cause was mended."""
    with api() as client:
        show(ask(client, "POST", f"/{service}/v1/quarantine/{message_id}/replay"))


@quarantine.command()
@click.argument("service", type=SERVICE)
@click.argument("message_id")
@click.option("--reason", required=True, help="Why it will never be applied, for the record.")
def discard(service: str, message_id: str, reason: str) -> None:
    """Give a message up."""
    with api() as client:
        show(ask(client, "POST", f"/{service}/v1/quarantine/{message_id}/discard", json={"reason": reason}))
