"""The rules of the house: who may import whom, what each file is for, and what every route and setting declares."""

import ast
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.probes.kinds import KINDS
from services.registry import OWNING_DATA, SERVICES, builder, settings_class
from shared.database import Pool
from shared.http.app import refuse_undeclared
from shared.service import Service
from shared.settings import ServiceSettings, load, variable
from tests.source import ROOT, Module, is_within, modules

EVERYWHERE = ("services", "shared", "demo", "tests", "benchmarks")
MAY_IMPORT = {
    "shared": ("shared",),
    "demo": ("shared", "demo", "services.up"),
    "services": ("shared", "demo", "services"),
}
MAX_LINES = 400
NO_SERVICES = {"up", "cli", "__pycache__"}

ROLES = {"__init__", "api", "consumer", "schedule", "handlers", "domain", "store"}
PURE_PARTS = {
    "answers",
    *("canonical", "container", "disposal", "record"),
    *("append", "bundle", "entry", "growing", "index", "manifest"),
    *("outcome", "plain", "proofs", "tiles", "tiling", "tree"),
    *("counters", "known", "orthanc", "sheet"),
    *("addresses", "calendar", "text", "times", "windows"),
    *("asyncapi", "compatibility", "conditions", "gates", "needs", "reading"),
    *("derived", "entries", "manifests", "pieces", "rows", "seals", "stitch", "sums", "tiled"),
    *("checkpoint", "cosignature", "note", "proof_file", "submission"),
    *("cleaning", "perfdata", "statuses"),
    *("flapping", "judging", "limits", "measures", "records", "upstream"),
    *("availability", "exposition", "forecast", "sketch", "steps"),
    *("builtin", "expectations", "planning", "report"),
    *("dicom_statuses", "rates", "secret_names", "storage_classes", "synthetic"),
    *("graph", "names", "soundness", "terms", "versions"),
    *("cells", "columns", "dcm4chee", "netbox"),
    *("approval", "cyclonedx", "markup", "questionnaire"),
    *("csv", "dicom", "evidence", "fhir", "flow", "formats", "iti81", "mapping", "ndjson", "places", "readme"),
}
OUTSIDE_PARTS = {
    *("association", "buffers", "catalogue", "echo", "network", "pdu"),
    *(
        "acceptor",
        "agent",
        "commitment",
        "connection",
        "dialogue",
        "dimse",
        "find",
        "inbox",
        "instances",
        "listener",
        "negotiation",
    ),
    *("exchange", "parameters", "retrieve", "tls", "turns"),
    *("dicom_conformance", "dicom_nodes", "receiver"),
    *("bringing", "link", "making", "quarantine", "spool", "sweep", "work"),
    *("asking", "attempt", "certificates", "comparing", "decoder", "driver_faults", "redirects"),
    *("secrets", "trust"),
    *("engines", "login_flows", "login_pages"),
    *("snmp_presets", "snmp_session"),
    *("telling", "vantages", "watch"),
    *("bell", "message", "smtp", "wording", "writer"),
    *("fhir_errors", "package"),
    *("process", "restic", "roots"),
    *("hardware", "putting", "references"),
    *("archives", "facts", "pdf", "sniffing", "upload", "workbook"),
    *("archive", "compiled", "database", "directory", "publish", "rest", "state", "vault", "visitor", "workers"),
    *("__main__", "alarm", "durable", "keys", "ledger", "published", "settings", "witnesses"),
}
NO_CAPABILITY = {"migrations", "templates", "static", "__pycache__"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "core", "misc"}

PURE_SHARED = (
    *("shared.bulk", "shared.errors", "shared.events", "shared.grants", "shared.mail_address", "shared.resource"),
    "shared.time_zones",
    "services.compliance.log.hashing",
)
"""What domains may import besides: functions of what they are given, whatever they load or remember to be fast."""
OUTSIDE_WORLD = (
    *("asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil"),
    *("signal", "smtplib", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request"),
    *("aiokafka", "aiosmtplib", "asyncpg", "click", "fastapi", "httpx", "jinja2", "pynetdicom", "starlette"),
    *("structlog", "uuid", "uuid_utils"),
)
CLOCKS_AND_CHANCE = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.datetime.now"),
    *("new_id", "uuid4", "uuid7", "open", "print", "input"),
}

SQL = re.compile(
    r"\s*(SELECT|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|WITH\s+\w+\s+AS|LOCK\s+TABLE|CREATE|LISTEN|NOTIFY)\s"
)
SQL_CALL = re.compile(r"\b(conn|connection|pool)\.(execute|executemany|fetch|fetchrow|fetchval|copy_\w+)$")
DELIVERY = {
    *("shared/api_keys.py", "shared/database.py", "shared/http/idempotency.py", "shared/identity.py"),
    *("shared/listing.py", "shared/migrate.py", "shared/positions.py", "shared/quarantine.py", "shared/relay.py"),
    "shared/service.py",
    *("shared/transactions.py", "shared/turn.py", "shared/bus/postgres.py", "services/probes/vantage/spool.py"),
}
MAY_SLEEP = {
    "tests/parts/process.py": "a program that starts tells nobody when it is ready",
    "tests/e2e/kill/": "what is killed must take its time, and chaos comes at times of its own",
    "tests/integration/demo/test_fleet.py": "idleness is seen over time",
    "tests/integration/probes/dicom/peers.py": "a peer that drips is slow on purpose",
}
"""Where a pause is what is tested, or nothing tells of what is awaited."""


def chosen(*folders: str, where: Callable[[Module], bool] = lambda _: True) -> list[Module]:
    """The modules below ``folders`` that are ``where``."""
    return [module for module in modules(*folders) if where(module)]


def is_pure(module: Module) -> bool:
    """Whether a module may know neither I/O nor clock nor chance."""
    return module.service is not None and module.stem in PURE_PARTS | {"domain"}


def is_store(module: Module) -> bool:
    """Whether a module holds the SQL of a capability."""
    return module.service is not None and module.stem == "store"


def is_of_one_service(module: Module) -> bool:
    """Whether a module belongs to one service; the command and `up` know all of them."""
    return module.service in SERVICES


def none_of(faults: Iterable[tuple[Module, int, str]]) -> None:
    """Fails with all faults, each as ``path:line: what``."""
    told = [f"{module.path}:{line}: {what}" for module, line, what in faults]
    assert not told, "\n" + "\n".join(told)


def test_no_service_imports_another() -> None:
    """What a service needs of another, it learns from events; and it runs without the demo."""
    none_of(
        (module, line, f"imports {name}; what you need of another service, keep from its events")
        for module in chosen("services", where=is_of_one_service)
        for line, name in module.imports()
        if name.split(".")[0] in ("services", "demo") and not is_within(name, f"services.{module.service}")
    )


def test_no_capability_uses_the_store_of_another() -> None:
    """Capabilities call each other's handlers and domain, never each other's SQL."""
    none_of(
        (module, line, f"imports {name}; call that capability's handlers instead")
        for module in chosen("services", where=is_of_one_service)
        for line, name in module.imports()
        if re.search(r"^services\.\w+\.\w+\.store\b", name) and not is_within(name, module.name.rpartition(".")[0])
    )


def test_imports_point_down() -> None:
    """Shared knows nobody, the demo knows shared and what starts a program; nothing that runs knows a test."""
    none_of(
        (module, line, f"imports {name}; of ours, only {' and '.join(allowed)} may be imported here")
        for folder, allowed in MAY_IMPORT.items()
        for module in chosen(folder)
        for line, name in module.imports()
        if name.split(".")[0] in EVERYWHERE and not any(is_within(name, package) for package in allowed)
    )


def test_imports_say_the_full_name() -> None:
    """``from services.probes.alerts.domain import …``, never ``from .domain``."""
    none_of(
        (module, line, f"imports {name}; write the full name")
        for module in chosen(*EVERYWHERE)
        for line, name in module.imports()
        if name.startswith(".")
    )


def test_pure_modules_import_no_outside_world() -> None:
    """A domain has no I/O, and what it imports has none either."""
    pure = {module.name for module in chosen("services", where=is_pure)}
    ours = {module.name for module in modules(*EVERYWHERE)}

    def is_impure(name: str) -> bool:
        imported = name if name in ours else name.rpartition(".")[0]
        allowed = imported in pure or any(is_within(name, package) for package in PURE_SHARED)
        return any(is_within(name, outside) for outside in OUTSIDE_WORLD) or (imported in ours and not allowed)

    none_of(
        (module, line, f"imports {name}, which touches the outside world or is not known to be pure")
        for module in chosen("services", where=is_pure)
        for line, name in module.imports()
        if is_impure(name)
    )


def test_pure_modules_ask_no_clock_and_no_chance() -> None:
    """``now`` and ids are arguments."""
    none_of(
        (module, call.lineno, f"calls {name}(); take the value as an argument")
        for module in chosen("services", where=is_pure)
        for call, name in module.calls()
        if name in CLOCKS_AND_CHANCE
    )


def test_sql_stands_only_in_stores() -> None:
    """Whoever looks for a query opens ``store.py``; the delivery of events has its own in shared."""
    elsewhere = chosen("services", "shared", "demo", where=lambda m: not is_store(m) and m.path not in DELIVERY)
    none_of(
        (module, line, f"SQL outside store.py: {' '.join(text.split()[:4])} …")
        for module in elsewhere
        for line, text in module.strings()
        if SQL.match(text)
    )
    none_of(
        (module, call.lineno, f"calls {name}(); let a function of store.py do that")
        for module in elsewhere
        for call, name in module.calls()
        if SQL_CALL.search(name)
    )


def test_stores_never_commit() -> None:
    """A store takes a connection; who opened the transaction ends it."""
    stores = chosen("services", where=is_store)
    none_of(
        (module, call.lineno, f"calls {name}(); the handler owns the transaction")
        for module in stores
        for call, name in module.calls()
        if name.rpartition(".")[2] in ("transaction", "commit", "rollback", "begin")
    )
    none_of(
        (module, line, f"runs {text.strip()[:20]!r}; the handler owns the transaction")
        for module in stores
        for line, text in module.strings()
        if re.match(r"\s*(BEGIN|COMMIT|ROLLBACK)\b", text)
    )


@pytest.mark.parametrize("service", SERVICES)
def test_capabilities_hold_known_roles(service: str) -> None:
    """The same file name means the same role everywhere; a part of another name is declared above, pure or outside.

    A kind of probe is declared as such.
    """
    known = ROLES | PURE_PARTS | OUTSIDE_PARTS | {kind.__module__.rpartition(".")[2] for kind in KINDS}
    capabilities = [path for path in (ROOT / "services" / service).iterdir() if path.is_dir()]
    unknown = [
        str(file.relative_to(ROOT))
        for folder in capabilities
        if folder.name not in NO_CAPABILITY
        for file in folder.rglob("*.py")
        if file.stem not in known
    ]
    assert not unknown, f"{unknown}: use a role of {sorted(ROLES)}, or declare the part as pure or outside in this test"


@pytest.mark.parametrize("service", SERVICES)
def test_services_have_their_parts(service: str) -> None:
    """A promise, a wiring and settings; and migrations, where the service owns data."""
    parts = ["__init__.py", "__main__.py", "settings.py", "migrations"]
    found = [part for part in parts if (ROOT / "services" / service / part).exists()]
    expected = parts if service in OWNING_DATA else parts[:-1]
    assert found == expected, f"services/{service} has {found} and should have {expected}"


def test_every_folder_of_services_is_a_service() -> None:
    """Or one of the two that run and command all of them."""
    folders = {path.name for path in (ROOT / "services").iterdir() if path.is_dir()} - NO_SERVICES
    assert folders == set(SERVICES), "services/registry.py names the services"


@pytest.mark.parametrize("service", OWNING_DATA)
def test_migrations_are_numbered_without_gaps(service: str) -> None:
    """``0001_….sql`` onwards, so that their order is seen."""
    names = sorted(path.name for path in (ROOT / "services" / service / "migrations").glob("*"))
    expected = [f"{number:04}_" for number in range(1, len(names) + 1)]
    assert names, f"services/{service}/migrations is empty"
    assert [name[:5] for name in names] == expected, names
    assert all(name.endswith(".sql") for name in names), names


def test_no_file_passes_its_length() -> None:
    """A file that passes 400 lines is two things: give each its name."""
    kinds = ("*.py", "*.sql", "*.html", "*.css", "*.js", "*.txt")
    files = [path for folder in EVERYWHERE for kind in kinds for path in (ROOT / folder).rglob(kind)]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    too_long = {path: length for path, length in lengths.items() if length > MAX_LINES}
    assert not too_long, f"{too_long} pass {MAX_LINES} lines"


def test_modules_are_named_after_things() -> None:
    """No ``utils``: a name says what is inside."""
    vague = [module.path for module in modules(*EVERYWHERE) if module.stem in VAGUE_NAMES]
    vague += [str(path) for path in (ROOT / "services").rglob("*") if path.is_dir() and path.name in VAGUE_NAMES]
    assert not vague, f"{vague}: name the thing of the field that it holds"


def test_modules_say_what_they_are_for() -> None:
    """Each opens with what it alone is responsible for; only an empty ``__init__.py`` has nothing to say."""
    silent = [
        module.path for module in chosen(*EVERYWHERE) if module.text.strip() and not ast.get_docstring(module.tree)
    ]
    assert not silent, f"{silent} have no docstring"


def test_tests_await_instead_of_sleeping() -> None:
    """A sleep is too short on a slow machine and too long on every other. ``sleep(0)`` only lets others run."""
    none_of(
        (module, call.lineno, f"calls {name}(); await what you wait for")
        for module in chosen("tests", where=lambda m: not m.path.startswith(tuple(MAY_SLEEP)))
        for call, name in module.calls()
        if name in ("asyncio.sleep", "time.sleep", "sleep", "anyio.sleep")
        and not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
    )


def built(name: str) -> Service:
    """A service with the examples of its settings, over a pool that nothing may touch: nothing connects when built."""
    kind = cast(type[ServiceSettings], settings_class(name))
    required = {field: about for field, about in kind.model_fields.items() if about.is_required()}
    examples = {variable(field): str((about.examples or [""])[0]) for field, about in required.items()}
    return builder(name, load(kind, examples))(cast(Pool, object()))


def routes_of(service: Service) -> list[APIRoute]:
    """All routes of a service."""
    return [route for router in service.routers for route in router.routes if isinstance(route, APIRoute)]


@pytest.mark.parametrize("service", OWNING_DATA)
def test_every_route_declares_its_role(service: str) -> None:
    """A route without a role does not start. The console's routes have a test of their own."""
    assembled = built(service)
    assert assembled.name == service
    assert routes_of(assembled), f"{service} has no route"
    for router in assembled.routers:
        refuse_undeclared(router)


@pytest.mark.parametrize("service", OWNING_DATA)
def test_every_body_shows_an_example(service: str) -> None:
    """OpenAPI has an example for every body, and it is one that would be accepted."""
    faults = []
    for route in routes_of(built(service)):
        for parameter in route.dependant.body_params:
            model = parameter.field_info.annotation
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                faults.append(f"{route.methods} {route.path}: the body is no model")
                continue
            examples = cast(dict[str, Any], model.model_config.get("json_schema_extra") or {}).get("examples", [])
            if not examples:
                faults.append(f"{model.__name__}: has no example")
            for example in examples:
                model.model_validate(example)
    assert not faults, f"{service}: {faults}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_says_what_it_means(service: str) -> None:
    """A description and an example, for `steward settings` and for the person who sets it wrong."""
    fields = settings_class(service).model_fields
    faults = [name for name, field in fields.items() if not field.description or not field.examples]
    assert not faults, f"services/{service}/settings.py: {faults} lack a description or an example"
