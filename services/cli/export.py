"""`steward export`: all that the group has, as files."""

import sys
from pathlib import Path

import click

from services.cli.import_files import KINDS
from services.cli.rest import api, download

EXPORTS = "/inventory/v1/exports"
ONLY_TOLD = (
    *("documents", "recyclers", "approved-software", "end-rules", "replacement-orders", "transitions", "evidence"),
    *("waivers", "custody", "disposals"),
)


@click.command("export")
@click.argument("what", type=click.Choice(["inventory", *KINDS, *ONLY_TOLD]), metavar="WHAT")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else standard output.")
@click.option("--format", type=click.Choice(["csv", "ndjson", "xlsx"]), default="csv", show_default=True)
def export(what: str, out: Path | None, format: str) -> None:
    """Write all of WHAT: `inventory` as a ZIP with a CSV of each kind, or one kind, such as components.

    `steward import all` and `steward import KIND` take back what can be taken back from a list.
    """
    path = f"{EXPORTS}/all" if what == "inventory" else f"{EXPORTS}/{what.replace('-', '_')}"
    asked = {} if what == "inventory" else {"format": format}
    with api() as client:
        if out is None:
            download(client, path, sys.stdout.buffer, params=asked, timeout=900)
            return
        part = out.with_name(f"{out.name}.part")
        with part.open("wb") as file:
            size = download(client, path, file, params=asked, timeout=900)
        part.replace(out)
    click.echo(f"{out}: {size:,} bytes")
