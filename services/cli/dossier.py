"""`steward dossier fetch` and `steward dossier verify`: the dossier of an asset with its proofs, and its check offline.

Exit status of the check: 0 the dossier is sound; 1 it is not, or nothing shows that it is; 2 it could not be read.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from zlib import crc32

import click

from services.cli.log import trust_in
from services.cli.rest import api, ask_bytes, download
from shared.errors import Unavailable, WrongSetting

if TYPE_CHECKING:
    import httpx

    from services.compliance.search.domain import Shown
    from services.inventory.dossier.package import Package

FILE = click.Path(path_type=Path, dir_okay=False)
EVENTS_URL = "/compliance/v1/events"
PROOF_URL = "/compliance/v1/log/proof/file"
PAGE = 500
SIGNED, RETIRED = "dossier.signed", "asset.retired"


@dataclass(frozen=True)
class Added:
    """A file that goes into a dossier beside what was sealed."""

    path: str
    content: bytes


@click.group()
def dossier() -> None:
    """The sealed record of an asset's life."""


@dossier.command("fetch")
@click.argument("asset")
@click.option("--out", type=FILE, help="Where the dossier goes; dossier-ASSET.zip unless you say.")
def fetch_dossier(asset: str, out: Path | None) -> None:
    """Write the dossier of a closed ASSET into a file, with the proofs that the audit log has all that it tells.

    It takes the token of an auditor of the asset's site. Whoever has the file and the log's public key can check it:

    steward dossier verify FILE --key log.pub

    The file is there when all of it is written, and not before.
    """
    out = out or Path(f"dossier-{asset}.zip")
    unfinished, sealed = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.sealed")
    try:
        with api() as client:
            entries = _fetch(client, asset, sealed, unfinished)
        os.replace(unfinished, out)
    except OSError as exc:
        raise click.ClickException(f"{out} can't be written: {exc}") from exc
    finally:
        unfinished.unlink(missing_ok=True)
        sealed.unlink(missing_ok=True)
    click.echo(f"{out}: {out.stat().st_size} bytes, with the proofs of {entries} entries of the audit log")


def _fetch(client: "httpx.Client", asset: str, sealed: Path, unfinished: Path) -> int:
    from services.inventory.dossier.package import read_package

    with sealed.open("wb") as file:
        download(client, f"/inventory/v1/assets/{asset}/dossier/file", file)
    with sealed.open("rb") as file:
        package = read_package(file)
        shown = _entries(client, package)
        proofs = list(_proofs(client, shown))
        _write(file, package, proofs, unfinished)
    return len(shown)


def _entries(client: "httpx.Client", package: "Package") -> "list[Shown]":
    """The entries that prove a dossier, in the order in which they stand in it."""
    manifest = package.manifest
    found: dict[str, Shown] = {}
    by_subject: dict[str, set[str]] = {manifest.asset.id: {SIGNED, RETIRED}}
    for event in manifest.events:
        by_subject.setdefault(event.subject, set()).add(event.type)
    for subject, types in by_subject.items():
        found |= _search(client, manifest.asset.site_id, subject, types)
    if missing := [one for one in manifest.events if one.id not in found]:
        raise click.ClickException(f"the audit log shows no event {missing[0].id} ({missing[0].type}) to you")
    about = [(one, _event(one)) for one in found.values()]
    signed = [one for one, event in about if _is_of(event, SIGNED, "sha256", package)]
    retired = [one for one, event in about if _is_of(event, RETIRED, "dossier_sha256", package)]
    if not retired:
        raise click.ClickException(
            f"{manifest.asset.name} was not retired with this dossier: it is not closed yet, or the log has not told so"
        )
    by_index = sorted(signed, key=lambda one: one.index)
    return [*(found[event.id] for event in manifest.events), *by_index, retired[-1]]


def _search(client: "httpx.Client", site_id: str, subject: str, types: set[str]) -> "dict[str, Shown]":
    """The entries of a site about a subject, by the ids of their events."""
    import msgspec

    from services.cli.dossier_proofs import FoundPage

    found: dict[str, Shown] = {}
    cursor: str | None = None
    while True:
        sought: list[tuple[str, str | int]] = [("type", one) for one in sorted(types)]
        sought += [("site_id", site_id), ("subject", subject), ("order", "asc"), ("limit", PAGE)]
        sought += [("cursor", cursor)] if cursor else []
        page = msgspec.json.decode(ask_bytes(client, f"{EVENTS_URL}?{_query(sought)}"), type=FoundPage)
        found |= {str(_event(one)["id"]): one for one in page.items}
        cursor = page.next
        if cursor is None:
            return found


def _query(pairs: Sequence[tuple[str, str | int]]) -> str:
    from urllib.parse import urlencode

    return urlencode(pairs)


def _event(shown: "Shown") -> Mapping[str, Any]:
    import msgspec

    event: Mapping[str, Any] = msgspec.json.decode(bytes(shown.event))
    return event


def _is_of(event: Mapping[str, Any], event_type: str, key: str, package: "Package") -> bool:
    return bool(event["type"] == event_type and event["data"].get(key) == package.digest)


def _proofs(client: "httpx.Client", shown: "Sequence[Shown]") -> Iterator[Added]:
    from services.compliance.log.entry import Entry, build_entry
    from services.inventory.dossier.package import proof_paths

    for one in shown:
        entry_path, proof_path = proof_paths(str(_event(one)["id"]))
        yield Added(entry_path, build_entry(Entry(one.site_id, one.site_sequence, one.recorded_at, bytes(one.event))))
        yield Added(proof_path, ask_bytes(client, f"{PROOF_URL}/{one.index}"))


def _write(sealed: IO[bytes], package: "Package", proofs: Sequence[Added], out: Path) -> None:
    from services.inventory.dossier.container import Member, directory, local_header, read_content, total_size

    added = [Member(one.path, len(one.content), crc32(one.content)) for one in proofs]
    total_size([*package.sealed, *added])
    with out.open("wb") as file:
        for member in package.sealed:
            file.write(local_header(member))
            file.writelines(read_content(sealed, member))
        for new, proof in zip(added, proofs, strict=True):
            file.write(local_header(new) + proof.content)
        file.write(directory([*package.sealed, *added]))


@dossier.command("verify")
@click.argument("file", type=FILE)
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A public key of the log, or the file it is in.")
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="The same of a witness.")
@click.option("--witnesses-needed", type=click.IntRange(0), help="How many must have cosigned; 1 if any is given.")
def verify_dossier(file: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], witnesses_needed: int | None) -> None:
    """Check the dossier in FILE. It takes no network, only the log's public key.

    Each file is what the manifest says, and none is missing or there besides; the audit log has each step, as the
    manifest tells it; two people have signed the manifest's digest, one of them as approver, before the asset was
    retired with that digest.

    Ends with 0 if it is so, 1 if it is not, 2 if a file could not be read.
    """
    from services.cli.dossier_proofs import check_proofs
    from services.inventory.dossier.container import NotADossier
    from services.inventory.dossier.package import read_package

    trust = trust_in(keys, witnesses, witnesses_needed)
    if not trust.keys:
        raise WrongSetting("verify needs --key: a dossier shows nothing without the log's signature")
    try:
        with file.open("rb") as opened:
            package = read_package(opened)
            verdict = check_proofs(package, opened, trust)
    except OSError as exc:
        raise Unavailable(f"{file} can't be read: {exc}") from exc
    except NotADossier as exc:
        click.echo(f"NOT VERIFIED: {exc}")
        sys.exit(1)
    asset, retired = package.manifest.asset, verdict.retired
    click.echo(
        f"verified: the dossier {package.digest} of {asset.kind} {asset.name} ({asset.id}) at {asset.site_id}, "
        f"retired on {retired.event.time} as entry {retired.index} of the log {retired.origin}; "
        f"{len(package.sealed)} files, {verdict.entries} entries proven, signed by {' and '.join(verdict.signers)}"
    )
