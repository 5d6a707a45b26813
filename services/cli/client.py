"""Commands of who uses Steward: `get`, `create`, `change` and `do`, over the same REST API that everybody uses."""

from typing import Any
from uuid import uuid4

import click

from services.cli.rest import api, ask, show

RESOURCES = {
    "sites": "/inventory/v1/sites",
    "systems": "/inventory/v1/systems",
    "nodes": "/inventory/v1/nodes",
    "assets": "/inventory/v1/assets",
    "people": "/inventory/v1/people",
    "kinds": "/probes/v1/kinds",
    "targets": "/probes/v1/targets",
    "results": "/probes/v1/results",
    "alerts": "/probes/v1/alerts",
    "windows": "/maintenance/v1/windows",
    "patches": "/maintenance/v1/patches",
    "sets": "/backup/v1/sets",
    "runs": "/backup/v1/runs",
    "deliveries": "/notifier/v1/deliveries",
    "notices": "/notifier/v1/notices",
    "events": "/compliance/v1/events",
    "keys": "/compliance/v1/keys",
}
RESOURCE = click.Choice(sorted(RESOURCES))
LISTS = frozenset({"roles", "grants", "system_ids"})
NUMBERS = frozenset({"port"})


def parse_fields(pairs: tuple[str, ...]) -> dict[str, object]:
    """``name=value`` arguments as a JSON body; ``a.b=value`` nests, and lists are separated by commas."""
    fields: dict[str, Any] = {}
    for pair in pairs:
        path, sign, value = pair.partition("=")
        if not sign or not path:
            raise click.BadParameter(f"{pair!r} must be name=value, for example name='North PACS'")
        *outer, name = path.split(".")
        inside = fields
        for part in outer:
            inside = inside.setdefault(part, {})
        inside[name] = _value(name, value)
    return fields


def _value(name: str, text: str) -> object:
    if name in LISTS:
        return [part for part in text.split(",") if part]
    return int(text) if name in NUMBERS and text.isdecimal() else text


@click.command()
@click.argument("resource", type=RESOURCE)
@click.argument("where", nargs=-1, metavar="[ID | NAME=VALUE…]")
def get(resource: str, where: tuple[str, ...]) -> None:
    """Show one thing by its id, or list things, for example: steward get events site_id=north type=asset.retired"""
    path = RESOURCES[resource]
    if len(where) == 1 and "=" not in where[0]:
        show(_get_one(f"{path}/{where[0]}"))
        return
    query = dict(pair.split("=", 1) for pair in where if "=" in pair)
    with api() as client:
        show(ask(client, "GET", path, params=query))


@click.command()
@click.argument("resource", type=RESOURCE)
@click.argument("fields", nargs=-1, metavar="NAME=VALUE…")
@click.option("--key", default=None, help="Idempotency-Key; sent again, the command is not carried out again.")
def create(resource: str, fields: tuple[str, ...], key: str | None) -> None:
    """Create a thing, for example: steward create sites id=north name='Northfield' time_zone=Europe/Berlin"""
    with api() as client:
        headers = {"Idempotency-Key": key or str(uuid4())}
        show(ask(client, "POST", RESOURCES[resource], json=parse_fields(fields), headers=headers))


@click.command()
@click.argument("resource", type=RESOURCE)
@click.argument("id_")
@click.argument("action")
@click.argument("fields", nargs=-1, metavar="NAME=VALUE…")
def do(resource: str, id_: str, action: str, fields: tuple[str, ...]) -> None:
    """Carry out an action on a thing, for example: steward do assets ID transitions to=retiring reason='replaced'"""
    path = f"{RESOURCES[resource]}/{id_}"
    with api() as client:
        headers = {"Idempotency-Key": str(uuid4())}
        seen = client.get(path)
        if etag := seen.headers.get("etag"):
            headers["If-Match"] = etag
        show(ask(client, "POST", f"{path}/{action}", json=parse_fields(fields) or None, headers=headers))


def _get_one(path: str) -> object:
    with api() as client:
        return ask(client, "GET", path)


client_commands = (get, create, do)
