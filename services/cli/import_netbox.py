"""`steward import netbox`: the sites and devices that a NetBox knows, over its REST API."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import click

from services.cli.import_files import Options, importing, take_in, write_rows
from services.cli.pulling import Puller

PAGE = 200
MOST_THINGS = 200_000


@click.command("netbox")
@click.argument("url")
@click.option("--token-file", required=True, type=click.Path(path_type=Path, exists=True), help="File with the token.")
@click.option("--mapping", type=click.Path(path_type=Path, exists=True), help="TOML: [sites] [roles] [states] [fields]")
@click.option("--time-zone", help="Of sites that NetBox knows no zone of, for example Europe/Berlin.")
@click.option("--only-devices", is_flag=True, help="Leave sites, vendors and products as they are.")
@click.option("--per-second", type=click.FloatRange(0.1, 100), default=5.0, show_default=True, help="Requests at most.")
@importing
def import_netbox(
    url: str,
    token_file: Path,
    mapping: Path | None,
    time_zone: str | None,
    only_devices: bool,
    per_second: float,
    options: Options,
) -> None:
    """Take in the sites, manufacturers, device types and devices of the NetBox at URL, for example https://netbox.

    Devices become components by their role; [roles] in the mapping says otherwise, as in pacs-server = "server".
    """
    from services.inventory.imports.domain import BadFile
    from services.inventory.imports.netbox import Mapped, catalogue_rows, device_rows, site_rows

    try:
        mapped = Mapped.parse(tomllib.loads(mapping.read_text()) if mapping else {}, time_zone)
        puller = Puller(f"{url.rstrip('/')}/", {"Authorization": _authorization(token_file)}, per_second)
        devices = device_rows(_things(puller, "dcim/devices"), mapped)
        parts = {"components": devices}
        if only_devices:
            devices = [{name: value for name, value in row.items() if name != "product"} for row in devices]
            parts = {"components": devices}
        else:
            vendors, products = catalogue_rows(devices)
            sites = site_rows(_things(puller, "dcim/sites"), mapped)
            parts = {"sites": sites, "vendors": vendors, "products": products, "components": devices}
    except (BadFile, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise click.ClickException(f"nothing was changed: {exc}") from exc
    with TemporaryFile() as file:
        _pack(file, parts)
        take_in(file, "netbox.zip", "all", "zip", options)


def _authorization(token_file: Path) -> str:
    """The header of a token: one of the second kind, which begins with nbt_, is a bearer's."""
    token = token_file.read_text().strip()
    if not token or not token.isascii() or not token.isprintable():
        raise click.ClickException(f"{token_file} must hold the token alone")
    return f"{'Bearer' if token.startswith('nbt_') else 'Token'} {token}"


def _things(puller: Puller, path: str) -> Iterator[dict[str, Any]]:
    """All things of a list, page by page."""
    from services.inventory.imports.domain import BadFile
    from services.inventory.imports.netbox import results_of

    url: str | None = f"api/{path}/?limit={PAGE}&offset=0"
    asked: set[str] = set()
    count = 0
    while url is not None:
        if url in asked:
            raise BadFile("NetBox leads to the same page again")
        asked.add(url)
        results, url = results_of(puller.json(url))
        count += len(results)
        if count > MOST_THINGS or len(asked) > MOST_THINGS // PAGE * 4:
            raise BadFile(f"NetBox tells of more than {MOST_THINGS} {path}")
        yield from map(dict, results)


def _pack(file: IO[bytes], parts: Mapping[str, list[dict[str, str]]]) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for kind, rows in parts.items():
            with archive.open(f"{kind}.csv", "w") as entry:
                write_rows(entry, kind, rows)
