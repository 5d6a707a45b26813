"""`steward log keygen` and `steward witness keygen`: new keys that sign, in files that nobody else can read."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from services.compliance.checkpoints.note import VerifierKey


@click.command("keygen")
@click.argument("name")
@click.option("--file", required=True, type=click.Path(path_type=Path), help="Where the private key is written.")
def log_keygen(name: str, file: Path) -> None:
    """Make a key that signs the audit log NAME, and print its public key.

    NAME is the log's origin for all times: a host name and a path that belong to you, such as
    steward.example.org/log. STEWARD_LOG_KEY_FILE names the file.
    """
    from services.compliance.checkpoints.note import VerifierKey

    _generate(file, name, VerifierKey)


@click.command("keygen")
@click.argument("name")
@click.option("--file", required=True, type=click.Path(path_type=Path), help="Where the private key is written.")
def witness_keygen(name: str, file: Path) -> None:
    """Make a key for the witness NAME, and print its public key.

    NAME is a host name and a path that belong to you, such as north.example.org/witness. STEWARD_WITNESS_KEY_FILE
    names the file.
    """
    from services.compliance.checkpoints.cosignature import CosignatureKey

    _generate(file, name, CosignatureKey)


def _generate(file: Path, name: str, kind: "type[VerifierKey]") -> None:
    from services.compliance.checkpoints.keys import generate_key_file

    try:
        click.echo(generate_key_file(file, name, kind))
    except OSError as exc:
        raise click.ClickException(f"{file} can't be written: {exc}") from exc
