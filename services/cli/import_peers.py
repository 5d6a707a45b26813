"""`steward import orthanc` and `steward import dcm4chee`: the DICOM nodes that an archive knows."""

from pathlib import Path
from urllib.parse import quote

import click

from services.cli.import_files import Options, importing, take_rows_in
from services.cli.pulling import Puller

MOST_DEVICES = 5000


@click.command("orthanc")
@click.argument("where")
@importing
def import_orthanc(where: str, options: Options) -> None:
    """Take in the modalities that an Orthanc knows, as nodes.

    WHERE is its configuration file, which has DicomModalities, or the address of its REST API, for example
    http://user:password@orthanc:8042.
    """
    from services.inventory.imports.domain import BadFile
    from services.inventory.imports.orthanc import read_modalities

    raw = Puller(f"{where.rstrip('/')}/").get("modalities?expand") if _is_address(where) else _read(where)
    try:
        rows = read_modalities(raw)
    except BadFile as exc:
        raise click.ClickException(f"nothing was changed: {exc}") from exc
    take_rows_in(rows, "orthanc.csv", "nodes", options)


@click.command("dcm4chee")
@click.argument("where")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True), help="File with a token for its REST API.")
@importing
def import_dcm4chee(where: str, token_file: Path | None, options: Options) -> None:
    """Take in the application entities that a dcm4chee-arc knows, as nodes.

    WHERE is an LDIF export of its directory, or the address of its REST API, for example
    https://archive:8443/dcm4chee-arc.
    """
    from services.inventory.imports.dcm4chee import device_names, read_device, read_ldif
    from services.inventory.imports.domain import BadFile

    headers = {"Authorization": f"Bearer {token_file.read_text().strip()}"} if token_file else {}
    try:
        if _is_address(where):
            puller = Puller(f"{where.rstrip('/')}/", headers)
            names = device_names(puller.json("aes"), puller.json("devices"))
            if len(names) > MOST_DEVICES:
                raise BadFile(f"dcm4chee-arc tells of {len(names)} devices, more than {MOST_DEVICES}")
            rows = [row for name in names for row in read_device(puller.json(f"devices/{quote(name, safe='')}"))]
        else:
            rows = read_ldif(_read(where))
    except BadFile as exc:
        raise click.ClickException(f"nothing was changed: {exc}") from exc
    take_rows_in(rows, "dcm4chee.csv", "nodes", options)


def _is_address(where: str) -> bool:
    return where.startswith(("http://", "https://"))


def _read(where: str) -> bytes:
    try:
        return Path(where).read_bytes()
    except OSError as exc:
        raise click.ClickException(f"{where} can't be read: {exc.strerror}") from exc
