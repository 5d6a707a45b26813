"""`steward log verify`: recomputes an audit log and names the first thing that is wrong.

Exit status: 0 the log is what it claims to be; 1 it is not; 2 it could not be read.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.rest import known
from shared.errors import Unavailable, WrongSetting

if TYPE_CHECKING:
    from services.compliance.export.evidence import Evidence
    from services.compliance.verify.domain import Report, Source
    from services.compliance.verify.seals import Trust

Progress = Callable[[int, int], None]
SERVED = "compliance/v1/log/"


@click.group()
def log() -> None:
    """The audit log."""


@log.command("verify")
@click.argument("url", required=False)
@click.option("--directory", type=click.Path(path_type=Path), help="Read a folder laid out as C2SP tlog-tiles says.")
@click.option("--database", metavar="DSN", help="Read the log in a database, with its search index.")
@click.option("--evidence", type=click.Path(path_type=Path), help="Read a package of evidence.")
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A public key of the log, or the file it is in.")
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="The same of a witness.")
@click.option("--witnesses-needed", type=click.IntRange(0), help="How many must have cosigned; 1 if any is given.")
@click.option("--since", type=click.Path(path_type=Path), metavar="STATE", help="Begin where the last time ended.")
@click.option("--hashes-only", is_flag=True, help="Read another program's log: hash its entries, and no more.")
@click.option("--workers", type=click.IntRange(1), help="How many processes work; as many as there are processors.")
def verify_log(
    url: str | None,
    directory: Path | None,
    database: str | None,
    evidence: Path | None,
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    witnesses_needed: int | None,
    since: Path | None,
    hashes_only: bool,
    workers: int | None,
) -> None:
    """Compute every hash, root, signature, sequence, manifest and index row of a log again.

    The log is that of the running Steward, with the token of an auditor of the whole group, or that at URL, or one of
    --directory, --database and --evidence. Without --key, no signature is checked.

    With --since, what was verified is kept in the file STATE, and the next time only what came after is read; a log
    that does not continue what was verified is found.

    Ends with 0 if the log is verified, 1 if it is not, 2 if it could not be read.
    """
    if sum(place is not None for place in (url, directory, database, evidence)) > 1:
        raise Unavailable("one log at a time: a URL, --directory, --database or --evidence")
    trust = trust_in(keys, witnesses, witnesses_needed)
    if evidence is not None:
        _verify_evidence(evidence, trust)
        return
    report = _verify(_source(url, directory, database, sealed=not hashes_only), trust, since, not hashes_only, workers)
    for line in report.unchecked:
        click.echo(f"note: {line}", err=True)
    if report.fault is not None:
        click.echo(f"NOT VERIFIED: {report.fault}")
        sys.exit(1)
    click.echo(
        f"verified: {report.size} entries of {report.sites} sites, {report.checkpoints} checkpoints, "
        f"root {report.root.hex()}"
    )


def _verify(source: "Source", trust: "Trust", since: Path | None, ours: bool, workers: int | None) -> "Report":
    from services.compliance.verify.handlers import Verification, verify
    from services.compliance.verify.state import read_state, write_state

    with _progress() as progress:
        wanted = Verification(
            source=source,
            trust=trust,
            ours=ours,
            since=None if since is None else read_state(since),
            workers=workers or os.cpu_count() or 1,
            progress=progress,
        )
        report, state = verify(wanted)
    if since is not None and state is not None:
        write_state(since, state)
    return report


@contextmanager
def _progress() -> Iterator[Progress]:
    with click.progressbar(length=1, label="verifying", file=sys.stderr, show_pos=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress


def _verify_evidence(path: Path, trust: "Trust") -> None:
    from services.compliance.export.package import Refuted, verify_evidence

    if not trust.keys:
        raise WrongSetting("--evidence needs --key: a package proves nothing without the log's signature")
    try:
        with _progress() as progress:
            found = verify_evidence(path, trust.keys, trust.witnesses, trust.needed, progress)
    except OSError as exc:
        raise Unavailable(f"{path} can't be read: {exc}") from exc
    if isinstance(found, Refuted):
        click.echo(f"NOT VERIFIED: {found.detail}")
        sys.exit(1)
    for line in _left_open(found, trust):
        click.echo(f"note: {line}", err=True)
    click.echo(
        f"verified: {found.entries} entries of {found.claim.site_id}, recorded from {found.claim.start.isoformat()} "
        f"to {found.complete_until.isoformat()} and complete, in the log {found.origin} of {found.size} entries"
    )


def _left_open(found: "Evidence", trust: "Trust") -> Iterator[str]:
    """What a package that was verified does not show."""
    if not trust.needed:
        yield "no witness was asked for: nobody but the log says that everyone is shown the same one"
    if found.complete_until < found.claim.end:
        yield (
            f"it was signed before the period was over, which goes to {found.claim.end.isoformat()}: "
            f"what was recorded from {found.complete_until.isoformat()} on is not in it"
        )


def _source(url: str | None, directory: Path | None, database: str | None, *, sealed: bool) -> "Source":
    if directory is not None:
        from services.compliance.verify.directory import DirectorySource

        return DirectorySource(directory, sealed)
    if database is not None:
        from services.compliance.verify.database import DatabaseSource

        return DatabaseSource(database)
    from services.compliance.verify.rest import RestSource

    if url is not None:
        return RestSource(f"{url.rstrip('/')}/")
    try:
        return RestSource(f"{known('url').rstrip('/')}/{SERVED}", known("token"))
    except click.ClickException as exc:
        raise Unavailable(exc.message) from exc


def trust_in(keys: Iterable[str], witnesses: Iterable[str], needed: int | None) -> "Trust":
    """Whose signatures count: keys as they are given, each its text or the file it is in. Raises WrongSetting."""
    from services.compliance.checkpoints.cosignature import CosignatureKey
    from services.compliance.checkpoints.note import VerifierKey
    from services.compliance.verify.seals import Trust

    logs = tuple(VerifierKey.parse(_text(key)) for key in keys)
    cosigners = tuple(CosignatureKey.parse(_text(key)) for key in witnesses)
    if needed is None:
        needed = min(1, len(cosigners))
    if (cosigners or needed) and not logs:
        raise WrongSetting("--witness needs --key: a witness vouches for what the log signed")
    return Trust(logs, cosigners, needed)


def _text(key: str) -> str:
    """The key itself, or what the file of that name holds."""
    path = Path(key)
    try:
        return path.read_text().strip() if path.is_file() else key
    except OSError as exc:
        raise Unavailable(f"{path} can't be read: {exc}") from exc
