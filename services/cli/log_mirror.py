"""`steward log mirror`: the whole audit log in a folder, in the form of C2SP tlog-tiles; each time what is new."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.rest import api, ask, ask_bytes
from shared.errors import StewardError

if TYPE_CHECKING:
    import httpx

    from services.compliance.checkpoints.checkpoint import Checkpoint
    from services.compliance.log.directory import DirectoryWriter
    from services.compliance.log.tiles import Bundle

URL = "/compliance/v1/log"


@click.command("mirror")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--archive", type=click.Path(path_type=Path, file_okay=False), help="Where entries are that were pruned.")
def log_mirror(folder: Path, archive: Path | None) -> None:
    """Copy the audit log into FOLDER, or bring the copy there up to date.

    It takes the token of an auditor of the whole group. What is copied is what tools for C2SP tlog-tiles read, and
    what `steward log verify --directory FOLDER` checks. A log that does not continue the copy is refused; the copy
    stays as it was.

    Entries that were pruned are taken from their archive, a folder; a bucket is copied into one first.
    """
    try:
        with api() as client:
            old, new = _mirror(client, folder, archive)
    except (StewardError, ValueError) as exc:
        raise click.ClickException(f"{folder} stays as it was: {exc}") from exc
    except OSError as exc:
        raise click.ClickException(f"{folder} can't be written: {exc}") from exc
    click.echo(f"{folder}: {new} entries, {new - old} of them new")


def _mirror(client: "httpx.Client", folder: Path, archive: Path | None) -> tuple[int, int]:
    """Copies what is new; returns the sizes before and after."""
    from services.compliance.log.tiles import bundles_of

    note = ask_bytes(client, f"{URL}/checkpoint")
    wanted = _checkpoint(note)
    writer, old = _writer(folder)
    if wanted.size < old:
        raise StewardError(f"the log has {wanted.size} entries, and the copy {old}")
    pruned = ask(client, "GET", f"{URL}/pruned")
    for bundle in bundles_of(wanted.size, old):
        where = next((part["location"] for part in pruned if part["first"] <= bundle.start < part["end"]), None)
        entries = _served(client, bundle) if where is None else _archived(bundle, archive, where)
        writer.add(entries[max(0, old - bundle.start) :])
    if writer.edge.root != wanted.root:
        raise StewardError("the entries do not lead to the root that the log has signed; run `steward log verify`")
    writer.finish(note, durable=True)
    return old, wanted.size


def _served(client: "httpx.Client", bundle: "Bundle") -> list[bytes]:
    from services.compliance.log.tiles import split_bundle

    return split_bundle(bundle, ask_bytes(client, f"{URL}/{bundle.path}"))


def _archived(bundle: "Bundle", archive: Path | None, where: str) -> list[bytes]:
    from services.compliance.log.directory import TileDirectory

    if archive is None:
        raise StewardError(f"entry {bundle.start} was pruned; name its archive with --archive, which is at {where}")
    return TileDirectory(archive).entries(bundle)


def _writer(folder: Path) -> "tuple[DirectoryWriter, int]":
    from services.compliance.log.directory import CHECKPOINT, DirectoryWriter, TileDirectory

    if not (folder / CHECKPOINT).exists():
        return DirectoryWriter(folder), 0
    kept = _checkpoint(TileDirectory(folder).checkpoint())
    return DirectoryWriter.resume(folder, kept.size, kept.root), kept.size


def _checkpoint(note: bytes) -> "Checkpoint":
    """What a note says. Who signed it is for the verification to judge."""
    from services.compliance.checkpoints.checkpoint import Checkpoint
    from services.compliance.checkpoints.note import parse_note_unverified

    return Checkpoint.parse(parse_note_unverified(note).text)
