"""`steward probe-agent`: probes from where the service can't reach, by itself."""

import click


@click.command("probe-agent")
def probe_agent() -> None:
    """Make the probes of one vantage until Ctrl-C. Its settings are environment variables; see `steward settings`."""
    from services.probes.vantage.__main__ import main

    main()
