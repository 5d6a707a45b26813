"""Commands of who uses Steward: `get`, `create`, `do` and `env`, over the same REST API that everybody uses."""

import json
import shlex
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any
from uuid import uuid4

import click

from services.cli.output import show
from services.cli.rest import addresses, api, ask, known, variable
from services.cli.selection import Headers, Selection, printing, reasoning, selecting, split_pairs

RESOURCES = {
    "groups": "/inventory/v1/groups",
    "sites": "/inventory/v1/sites",
    "systems": "/inventory/v1/systems",
    "nodes": "/inventory/v1/nodes",
    "components": "/inventory/v1/components",
    "fields": "/inventory/v1/fields",
    "assets": "/inventory/v1/assets",
    "evidence": "/inventory/v1/evidence",
    "imports": "/inventory/v1/imports",
    "waivers": "/inventory/v1/waivers",
    "lifecycle-policies": "/inventory/v1/policies",
    "people": "/inventory/v1/people",
    "vendors": "/inventory/v1/vendors",
    "products": "/inventory/v1/products",
    "product-versions": "/inventory/v1/product-versions",
    "contracts": "/inventory/v1/contracts",
    "links": "/inventory/v1/links",
    "documents": "/inventory/v1/documents",
    "approved-software": "/inventory/v1/approved-software",
    "ends-of-life": "/inventory/v1/ends-of-life",
    "end-rules": "/inventory/v1/end-rules",
    "replacement-orders": "/inventory/v1/replacement-orders",
    "recyclers": "/inventory/v1/recyclers",
    "custody": "/inventory/v1/custody",
    "revisions": "/inventory/v1/history",
    "snapshot": "/inventory/v1/snapshot",
    "diff": "/inventory/v1/diff",
    "comparison": "/inventory/v1/comparison",
    "kinds": "/probes/v1/kinds",
    "targets": "/probes/v1/targets",
    "agents": "/probes/v1/agents",
    "checks": "/probes/v1/checks",
    "baselines": "/probes/v1/baselines",
    "suites": "/probes/v1/suites",
    "suite-runs": "/probes/v1/suite-runs",
    "conformance": "/probes/v1/conformance",
    "results": "/probes/v1/results",
    "alerts": "/probes/v1/alerts",
    "transitions": "/probes/v1/transitions",
    "standings": "/probes/v1/standings",
    "history": "/probes/v1/history",
    "availability": "/probes/v1/availability",
    "reliability": "/probes/v1/reliability",
    "percentiles": "/probes/v1/percentiles",
    "forecasts": "/probes/v1/forecast",
    "reports": "/probes/v1/reports",
    "windows": "/maintenance/v1/windows",
    "patches": "/maintenance/v1/patches",
    "sets": "/backup/v1/sets",
    "runs": "/backup/v1/runs",
    "deliveries": "/notifier/v1/deliveries",
    "notices": "/notifier/v1/notices",
    "events": "/compliance/v1/events",
    "keys": "/compliance/v1/keys",
    "policies": "/compliance/v1/retention/policies",
    "holds": "/compliance/v1/retention/holds",
    "partitions": "/compliance/v1/retention/plan",
}
RESOURCE = click.Choice(sorted(RESOURCES))
EPILOG = f"RESOURCE is one of {', '.join(sorted(RESOURCES))}."
LISTS = frozenset({"roles", "grants", "system_ids", "depends_on", "aliases", "asset_ids", "services", "choices"})
NUMBERS = frozenset({"port", "days", "notice_days", "capacity_bytes"})
JSON_SIGN = ":"


def parse_fields(pairs: Sequence[str], onto: Mapping[str, object] | None = None) -> dict[str, object]:
    """``name=value`` arguments as a JSON body; ``a.b=value`` nests, ``name:=value`` is JSON. Raises BadParameter.

    What is not named is as in ``onto``.
    """
    fields: dict[str, Any] = deepcopy(dict(onto or {}))
    for path, text in split_pairs(pairs):
        *outer, last = path.split(".")
        name = last.removesuffix(JSON_SIGN)
        inside = fields
        for part in outer:
            if inside.get(part) is None:
                inside[part] = {}
            inside = inside[part]
            if not isinstance(inside, dict):
                raise click.BadParameter(f"{path!r} must not lie within {part!r}, which has a value already")
        inside[name] = _value(name, text, is_json=name != last or text.startswith(("[", "{")))
    return fields


def _value(name: str, text: str, *, is_json: bool) -> object:
    if is_json:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as exc:
            example = 'settings.presets=\'["storage","load"]\' or enabled:=false'
            raise click.BadParameter(f"{name}={text!r} must be JSON, for example {example}") from exc
    if name in LISTS:
        return [part for part in text.split(",") if part]
    return int(text) if name in NUMBERS and text.isdecimal() else text


@click.command(epilog=EPILOG)
@click.argument("resource", type=RESOURCE, metavar="RESOURCE")
@click.argument("which", nargs=-1, metavar="[ID] [NAME=VALUE…]")
@selecting
def get(selection: Selection, resource: str, which: tuple[str, ...]) -> None:
    """Show one thing by its id, or list things.

    For example: steward get events site_id=north type=asset.retired

    NAME=VALUE are the parameters of the REST API's list, some of which may be given several times; --where looks at
    what it answers, which is the first page.
    """
    path = RESOURCES[resource]
    if which and "=" not in which[0]:
        path, which = f"{path}/{which[0]}", which[1:]
    query = split_pairs(which)
    with api() as client:
        selection.show(lambda: ask(client, "GET", path, params=query))


@click.command(epilog=EPILOG)
@click.argument("resource", type=RESOURCE, metavar="RESOURCE")
@click.argument("body", nargs=-1, metavar="NAME=VALUE…")
@click.option("--key", default=None, help="Idempotency-Key; sent again, the command is not carried out again.")
@reasoning
@printing
def create(said: Headers, resource: str, body: tuple[str, ...], key: str | None, fields: list[str]) -> None:
    """Create a thing.

    For example: steward create sites id=north name='Northfield' time_zone=Europe/Berlin

    A dot nests, as in software.version=4.1.0, and commas separate what is a list, as in roles=admin,clinician.

    A value is JSON when it begins with [ or {, as in settings.presets='["storage","load"]', and when := stands before
    it, as in enabled:=false or limits.roundtrip_seconds.warning:=2.5. Everything else is text.
    """
    with api() as client:
        headers = {**said, "Idempotency-Key": key or str(uuid4())}
        show(ask(client, "POST", RESOURCES[resource], json=parse_fields(body), headers=headers), fields)


@click.command(epilog=EPILOG)
@click.argument("resource", type=RESOURCE, metavar="RESOURCE")
@click.argument("id_", metavar="ID")
@click.argument("action")
@click.argument("body", nargs=-1, metavar="[NAME=VALUE…]")
@reasoning
@printing
def do(said: Headers, resource: str, id_: str, action: str, body: tuple[str, ...], fields: list[str]) -> None:
    """Carry out an action on a thing, as it is now.

    For example: steward do assets ID transitions to=retiring reason='replaced'
    """
    path = f"{RESOURCES[resource]}/{id_}"
    with api() as client:
        headers = {**said, "Idempotency-Key": str(uuid4())}
        if etag := client.get(path).headers.get("etag"):
            headers["If-Match"] = etag
        show(ask(client, "POST", f"{path}/{action}", json=parse_fields(body) or None, headers=headers), fields)


@click.command()
def env() -> None:
    """Print where Steward runs as shell variables.

    For example: eval "$(steward env)"
    """
    known("url")
    for name, value in addresses().items():
        click.echo(f"export {variable(name)}={shlex.quote(value)}")


client_commands = (get, create, do, env)
