"""`steward import`: registers the DICOM nodes of a list, after it has shown what it would do."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli.rest import api, ask, ask_bytes, elsewhere

if TYPE_CHECKING:
    import httpx

    from services.inventory.imports.domain import Listed, NodeRow, Planned

NODES = "/inventory/v1/nodes"
SYSTEMS = "/inventory/v1/systems"
A_PAGE = 500
ENDED = ("closed", "cancelled")

_importing = [
    click.option("--system", help="id or name of the system that the nodes belong to, where the list names none"),
    click.option("--dry-run", is_flag=True, help="show what would be done, and do nothing"),
    click.option("--yes", is_flag=True, help="don't ask before registering"),
]


def importing(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every import."""
    for option in reversed(_importing):
        command = option(command)
    return command


@click.group("import")
def import_() -> None:
    """Register what a list holds. A list can be imported again: what is registered stays as it is."""


@import_.command("nodes")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@importing
def import_sheet(file: Path, system: str | None, dry_run: bool, yes: bool) -> None:
    """Register the DICOM nodes of a CSV FILE with the columns name, ae_title, host, port, role, system.

    Commas, semicolons or tabs; UTF-8 or Windows' Latin. role is archive, modality (if it is not said) or workstation.
    """
    from services.inventory.imports.sheet import read_sheet

    _import(file.read_bytes(), read_sheet, system, dry_run, yes)


@import_.command("orthanc")
@click.argument("where")
@importing
def import_orthanc(where: str, system: str | None, dry_run: bool, yes: bool) -> None:
    """Register the modalities that an Orthanc knows.

    WHERE is its configuration file, which has DicomModalities, or the address of its REST API, for example
    http://user:password@orthanc:8042.
    """
    from services.inventory.imports.orthanc import read_modalities

    if where.startswith(("http://", "https://")):
        with elsewhere(30) as client:
            raw = ask_bytes(client, f"{where.rstrip('/')}/modalities?expand")
    else:
        try:
            raw = Path(where).read_bytes()
        except OSError as exc:
            raise click.ClickException(f"{where} can't be read: {exc.strerror}") from exc
    _import(raw, read_modalities, system, dry_run, yes)


def _import(raw: bytes, read: "Callable[[bytes], Listed]", system: str | None, dry_run: bool, yes: bool) -> None:
    from services.inventory.imports.domain import BadList, plan_import

    try:
        listed = read(raw)
    except BadList as exc:
        raise click.ClickException(f"nothing was registered: {exc}") from exc
    with api() as client:
        placed = [
            (found, one)
            for found, rows in _by_system(client, listed, system)
            for one in plan_import(rows, _registered(client, found["site_id"]))
        ]
        for _, one in placed:
            _show(one)
        for fault in listed.faults:
            click.echo(f"error     {fault}", err=True)
        if listed.faults:
            raise click.ClickException("nothing was registered: mend these rows, and import the list again")
        wanted = [(found["id"], one.row) for found, one in placed if one.registered_as is None]
        click.echo(f"{len(wanted)} of {len(placed)} nodes are to be registered")
        if dry_run or not wanted:
            return
        if not yes:
            click.confirm("Register them?", abort=True)
        with click.progressbar(wanted, label="Registering") as bar:
            for system_id, row in bar:
                _register(client, system_id, row)


def _by_system(client: "httpx.Client", listed: "Listed", usual: str | None) -> "list[tuple[dict[str, Any], Listed]]":
    """Each system with its rows. Ends the command for a system that is not known, or not told."""
    from services.inventory.imports.domain import Listed

    systems = {one["id"]: one for one in _all(client, SYSTEMS) if one["state"] not in ENDED}
    rows: dict[str, dict[str, NodeRow]] = {}
    for place, row in listed.rows.items():
        name = row.system or usual
        if name is None:
            raise click.ClickException(f"{place} names no system: give --system, for example --system 'North archive'")
        found = [key for key, one in systems.items() if name in (key, one["name"])]
        if len(found) != 1:
            what = "no system" if not found else f"the name of {len(found)} systems; give the id of one"
            raise click.ClickException(f"{place}: {name!r} is {what}")
        rows.setdefault(found[0], {})[place] = row
    return [(systems[system_id], Listed(found, ())) for system_id, found in rows.items()]


def _registered(client: "httpx.Client", site_id: str) -> "Iterator[NodeRow]":
    """The nodes of a site, where no two live ones have one address."""
    from services.inventory.imports.domain import NodeRow

    for node in _all(client, NODES, site_id=site_id):
        if node["state"] not in ENDED:
            yield NodeRow.model_validate({name: node[name] for name in ("name", "ae_title", "host", "port", "role")})


def _all(client: "httpx.Client", path: str, **query: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = ask(client, "GET", path, params={**query, **cursor, "limit": str(A_PAGE)})
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def _register(client: "httpx.Client", system_id: str, row: "NodeRow") -> None:
    body = row.model_dump(exclude={"system"}) | {"system_id": system_id}
    key = hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()[:32]
    ask(client, "POST", NODES, json=body, headers={"Idempotency-Key": f"import-{key}"})


def _show(one: "Planned") -> None:
    row = one.row
    told = f"{one.place}: {row.name}, {row.ae_title} at {row.host}:{row.port}, {row.role}"
    known = f" (registered: {one.registered_as})" if one.registered_as is not None else ""
    click.echo(f"{'as it is' if known else 'register'}  {told}{known}")
