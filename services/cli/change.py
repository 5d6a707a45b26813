"""Commands that change what is there: `change` and `delete`, on what the thing is now."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from services.cli.client import EPILOG, RESOURCE, RESOURCES, parse_fields
from services.cli.output import show
from services.cli.rest import api, ask, ask_tagged
from services.cli.selection import Headers, printing, reasoning

if TYPE_CHECKING:
    import httpx


@click.command(epilog=EPILOG)
@click.argument("resource", type=RESOURCE, metavar="RESOURCE")
@click.argument("id_", metavar="ID")
@click.argument("body", nargs=-1, required=True, metavar="NAME=VALUE…")
@reasoning
@printing
def change(said: Headers, resource: str, id_: str, body: tuple[str, ...], fields: list[str]) -> None:
    """Change some fields of a thing; the others stay as they are now.

    For example: steward change checks ID interval_seconds=30 limits.association.warning:=500

    NAME=VALUE are as in `steward create`. What is JSON takes the place of the whole field, as in limits:='{}'.
    """
    path = f"{RESOURCES[resource]}/{id_}"
    with api() as client:
        known = changeable(client, path, resource)
        now, etag = ask_tagged(client, path)
        wanted = parse_fields(body, {name: now[name] for name in known if name in now})
        show(ask(client, "PUT", path, json=wanted, headers={**said, "If-Match": etag}), fields)


@click.command(epilog=EPILOG)
@click.argument("resource", type=RESOURCE, metavar="RESOURCE")
@click.argument("id_", metavar="ID")
@reasoning
@printing
def delete(said: Headers, resource: str, id_: str, fields: list[str]) -> None:
    """Delete a thing, as it is now; it is shown a last time.

    For example: steward delete checks ID
    """
    path = f"{RESOURCES[resource]}/{id_}"
    with api() as client:
        _, etag = ask_tagged(client, path)
        show(ask(client, "DELETE", path, headers={**said, "If-Match": etag}), fields)


def changeable(client: "httpx.Client", path: str, resource: str) -> list[str]:
    """The fields that can be changed of what is at that path, by the service's own OpenAPI document.

    Ends the command where there is no such change.
    """
    service, *parts = path.strip("/").split("/")
    document = ask(client, "GET", f"/{service}/openapi.json")
    for template, methods in document["paths"].items():
        if "put" in methods and _fits(template.strip("/").split("/"), parts):
            schema = methods["put"]["requestBody"]["content"]["application/json"]["schema"]
            return list(_resolved(schema, document)["properties"])
    raise click.ClickException(f"{resource} can't be changed")


def _fits(template: Sequence[str], parts: Sequence[str]) -> bool:
    return len(template) == len(parts) and all(
        one.startswith("{") or one == other for one, other in zip(template, parts, strict=True)
    )


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
