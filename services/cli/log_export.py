"""`steward log export`: the audit log, or the evidence of a site and a period, in a file."""

import os
from pathlib import Path

import click

from services.cli.rest import api, download
from services.cli.selection import split_pairs

FORMATS = ("ndjson", "csv", "fhir", "dicom", "evidence")
URL = "/compliance/v1/export"


@click.command("export")
@click.argument("format_", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("query", nargs=-1, metavar="[NAME=VALUE…]")
def log_export(format_: str, file: Path, query: tuple[str, ...]) -> None:
    """Write events of the audit log to FILE.

    FORMAT is one of ndjson, csv, fhir (AuditEvents of R4 in a Bundle), dicom (audit messages of PS3.15) and evidence.

    For example: steward log export csv retired.csv site_id=north type=asset.retired

    NAME=VALUE are the parameters of a search. Evidence takes site_id, from and to:

    steward log export evidence north.zip site_id=north from=2026-03-01T00:00:00Z to=2026-04-01T00:00:00Z

    FILE is there when all of the export is in it, and not before.
    """
    unfinished = file.with_name(f"{file.name}.part")
    try:
        with api() as client, unfinished.open("wb") as out:
            length = download(client, URL, out, params=[("format", format_), *split_pairs(query)])
        os.replace(unfinished, file)
    except OSError as exc:
        raise click.ClickException(f"{file} can't be written: {exc}") from exc
    finally:
        unfinished.unlink(missing_ok=True)
    click.echo(f"{file}: {length} bytes")
