"""`steward witness`: runs a witness of an audit log, by itself."""

import click

from services.cli.keygen import witness_keygen


@click.group(invoke_without_command=True)
@click.pass_context
def witness(context: click.Context) -> None:
    """Run a witness of an audit log until Ctrl-C. Its settings are environment variables; see `steward settings`."""
    if context.invoked_subcommand is None:
        from services.compliance.witness.__main__ import main

        main()


witness.add_command(witness_keygen)
