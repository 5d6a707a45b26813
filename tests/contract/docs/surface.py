"""What the project really has: routes, commands, settings, as the code itself tells."""

import re
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import click
from pydantic_settings import BaseSettings
from starlette.routing import Route

from services.__main__ import steward
from services.cli.client import RESOURCES
from services.cli.rest import ADDRESSES
from services.cli.rest import variable as address_variable
from services.cli.settings import MigrateSettings
from services.compliance.witness.settings import WitnessSettings
from services.console.assets.api import router as console_assets
from services.console.components.api import router as console_components
from services.console.contracts.api import router as contracts
from services.console.endoflife.api import router as console_endoflife
from services.console.overview.api import router as overview
from services.console.sign_in.api import router as sign_in
from services.probes.vantage.settings import VantageSettings
from services.registry import OWNING_DATA, SERVICES, builder, settings_class
from shared.database import Pool
from shared.http import service_app
from shared.http.call import RouteContext
from shared.http.quarantine import router as quarantine
from shared.settings import ServiceSettings, load, variable
from tests.source import ROOT

OPERATIONS = ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs")
HERE = Path(__file__).parent
METHODS = ("get", "put", "post", "delete", "patch")
ABOUT_THINGS = ("get", "create", "change", "do", "delete")
THING = re.compile(r"[a-z][a-z-]*")


@cache
def requests() -> Mapping[tuple[str, str], frozenset[str]]:
    """Every (method, path) that is answered, with the query parameters that it knows."""
    known = {("GET", f"/{name}{path}"): frozenset[str]() for name in SERVICES for path in OPERATIONS}
    known |= {key: parameters for name in OWNING_DATA for key, parameters in _described(name).items()}
    for router in (overview, console_assets, console_components, console_endoflife, sign_in, contracts):
        for route in router.routes:
            if isinstance(route, Route):
                known |= {(method, f"/console{route.path}"): frozenset() for method in route.methods or ()}
    return known


def _described(name: str) -> dict[tuple[str, str], frozenset[str]]:
    """The requests in a service's OpenAPI document."""
    kind = cast(type[ServiceSettings], settings_class(name))
    needed = {variable(field): about for field, about in kind.model_fields.items() if about.is_required()}
    settings = load(kind, {name: str((about.examples or [""])[0]) for name, about in needed.items()})
    pool = cast(Pool, object())
    routers = [*builder(name, settings)(pool).routers, quarantine]
    paths: dict[str, Any] = service_app(
        RouteContext(name, pool, cast(Any, object()), cast(Any, object())), routers, cast(Any, object())
    ).openapi()["paths"]
    return {
        (method.upper(), f"/{name}{path}"): frozenset(
            parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"
        )
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method in METHODS
    }


@cache
def variables() -> frozenset[str]:
    """Every environment variable that the project reads: settings, addresses, what tests and benchmarks take."""
    programs = (MigrateSettings, WitnessSettings, VantageSettings)
    kinds: list[type[BaseSettings]] = [*map(settings_class, SERVICES), *programs]
    settings = {variable(field) for kind in kinds for field in kind.model_fields}
    addresses = {address_variable(name) for name in ADDRESSES}
    sources = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py"), ROOT / "Makefile"]
    elsewhere = {name for path in sources for name in re.findall(r'environ\S*"(STEWARD_\w+)"', path.read_text())}
    return frozenset(settings | {f"{name}_FILE" for name in settings} | addresses | elsewhere)


def command_fault(words: list[str]) -> str | None:
    """What is wrong with a call of `steward`, as far as commands, options, things and parameters of lists go."""
    command: click.Command = steward
    trail = "steward"
    options: set[str] = {"--help", "-h"}
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word not in command.commands:
                return f"{trail} has no command {word}"
            command, trail = command.commands[word], f"{trail} {word}"
            options |= {
                option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
            }
        elif word.startswith("--") and word.partition("=")[0] not in options:
            return f"{trail} has no option {word}"
    return _fault_of_thing(words) if words and words[0] in ABOUT_THINGS else None


def _fault_of_thing(words: list[str]) -> str | None:
    thing, *others = [word for word in words[1:] if not word.startswith("-")] or [""]
    if not THING.fullmatch(thing):
        return None
    if thing not in RESOURCES:
        return f"steward {words[0]} knows no {thing}"
    if words[0] != "get" or (others and "=" not in others[0]):
        return None
    asked = {name for name, equals, _ in (word.partition("=") for word in others) if equals and name.isidentifier()}
    unknown = asked - _options(words) - requests().get(("GET", RESOURCES[thing]), frozenset())
    return f"{RESOURCES[thing]} does not know {sorted(unknown)}" if unknown else None


def _options(words: list[str]) -> set[str]:
    """The names in conditions that stand behind an option, as in ``--where state=done``."""
    return {after.partition("=")[0] for option, after in pairwise(words) if option.startswith("--")}


def make_targets() -> frozenset[str]:
    """What `make` can be asked for."""
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def is_file(name: str) -> bool:
    """Whether the repository has the file or folder; ``…``, ``*`` and words in capitals stand for any name."""
    if (ROOT / name).exists():
        return True
    pattern = re.sub(r"…|<\w+>|\{\w+\}|\b[A-Z][A-Z0-9]*\b", "*", name).rstrip("/")
    return "*" in pattern and any(ROOT.glob(pattern))


@cache
def source() -> str:
    """The text of all code and manifests."""
    folders = ("services", "shared", "demo", "tests", "deploy", "benchmarks")
    paths = [
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".sql", ".yaml")
    ]
    return "\n".join(path.read_text() for path in paths if HERE not in path.parents)
