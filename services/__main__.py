"""`steward`: the one command, and with services/up the one place that knows all services."""

import sys

import click

from services.cli.change import change, delete
from services.cli.client import client_commands
from services.cli.demo import demo
from services.cli.dossier import dossier
from services.cli.export import export
from services.cli.import_conformance import import_conformance
from services.cli.import_files import import_
from services.cli.import_netbox import import_netbox
from services.cli.import_peers import import_dcm4chee, import_orthanc
from services.cli.keygen import log_keygen
from services.cli.log import log
from services.cli.log_export import log_export
from services.cli.log_mirror import log_mirror
from services.cli.log_proof import log_check_proof, log_prove
from services.cli.operate import migrate, run, settings, token, up
from services.cli.probe_agent import probe_agent
from services.cli.quarantine import quarantine
from services.cli.scan import scan
from services.cli.witness import witness
from shared.errors import StewardError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def steward() -> None:
    """Runs the life of a hospital group's PACS."""


for command in (
    up,
    run,
    migrate,
    token,
    settings,
    log,
    dossier,
    witness,
    probe_agent,
    quarantine,
    *client_commands,
    change,
    delete,
    import_,
    export,
    scan,
    demo,
):
    steward.add_command(command)
for command in (import_orthanc, import_dcm4chee, import_netbox, import_conformance):
    import_.add_command(command)
log.add_command(log_keygen)
log.add_command(log_export)
log.add_command(log_mirror)
log.add_command(log_prove)
log.add_command(log_check_proof)


def main() -> None:
    """Runs the command; what the user can mend is told without a traceback."""
    try:
        steward(prog_name="steward")
    except StewardError as exc:
        print(f"steward: {exc}", file=sys.stderr)  # noqa: T201 -- the command speaks to a person
        sys.exit(2)


if __name__ == "__main__":
    main()
