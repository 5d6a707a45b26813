"""`steward log prove` and `steward log check-proof`: the proof of one entry as a file, and its check without a network.

Exit status of the check: 0 the entry is in the log; 1 it is not shown; 2 a file could not be read.
"""

import sys
from pathlib import Path

import click

from services.cli.log import trust_in
from services.cli.rest import api, ask_bytes
from shared.errors import StewardError, Unavailable, WrongSetting

FILE = click.Path(path_type=Path, dir_okay=False)
PROOF_URL = "/compliance/v1/log/proof/file"
EVENT_URL = "/compliance/v1/events"


@click.command("prove")
@click.argument("index", type=click.IntRange(0))
@click.option("--out", type=FILE, help="Where the proof goes; INDEX.tlog-proof unless you say.")
@click.option("--entry", type=FILE, help="Where the entry itself goes; INDEX.entry unless you say.")
def log_prove(index: int, out: Path | None, entry: Path | None) -> None:
    """Write the entry at INDEX and the proof that it is in the log into two files.

    The proof is a C2SP tlog-proof, which other programs read too: the signed checkpoint with its cosignatures, and the
    hashes that lead from the entry to its root. Whoever has both files and the log's public key can check them:

    steward log check-proof INDEX.tlog-proof --entry INDEX.entry --key log.pub
    """
    with api() as client:
        proof = ask_bytes(client, f"{PROOF_URL}/{index}")
        event = ask_bytes(client, f"{EVENT_URL}/{index}")
    for path, body in ((out or Path(f"{index}.tlog-proof"), proof), (entry or Path(f"{index}.entry"), _entry(event))):
        try:
            path.write_bytes(body)
        except OSError as exc:
            raise click.ClickException(f"{path} can't be written: {exc}") from exc
        click.echo(f"{path}: {len(body)} bytes")


def _entry(answer: bytes) -> bytes:
    """The entry that an answer shows, to the byte."""
    import msgspec

    from services.compliance.log.entry import Entry, build_entry
    from services.compliance.search.domain import Shown

    shown = msgspec.json.decode(answer, type=Shown)
    return build_entry(Entry(shown.site_id, shown.site_sequence, shown.recorded_at, bytes(shown.event)))


@click.command("check-proof")
@click.argument("file", type=FILE)
@click.option("--entry", type=FILE, required=True, help="The file with the entry's bytes.")
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="A public key of the log, or the file it is in.")
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="The same of a witness.")
@click.option("--witnesses-needed", type=click.IntRange(0), help="How many must have cosigned; 1 if any is given.")
def log_check_proof(
    file: Path, entry: Path, keys: tuple[str, ...], witnesses: tuple[str, ...], witnesses_needed: int | None
) -> None:
    """Check that the proof in FILE shows the entry to be in the log. It takes no network, only the public key.

    Ends with 0 if it does, 1 if it doesn't, 2 if a file could not be read.
    """
    from services.compliance.checkpoints.proof_file import parse_proof_file_unverified, verify_proof_file
    from services.compliance.log.tree import leaf_hash

    trust = trust_in(keys, witnesses, witnesses_needed)
    if not trust.keys:
        raise WrongSetting("check-proof needs --key: a proof shows nothing without the log's signature")
    proof, raw = _read(file), _read(entry)
    try:
        signed = verify_proof_file(proof, leaf_hash(raw), trust.keys, trust.witnesses, trust.needed)
    except StewardError as exc:
        click.echo(f"NOT VERIFIED: {exc}")
        sys.exit(1)
    index = parse_proof_file_unverified(proof).index
    click.echo(f"verified: it is entry {index} of the log {signed.checkpoint.origin} of {signed.size} entries")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise Unavailable(f"{path} can't be read: {exc}") from exc
