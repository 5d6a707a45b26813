"""`steward demo`: the switches of the simulated group, and the mailbox that stands for everybody's mail."""

import click

from services.cli.output import items_of, pick, show
from services.cli.rest import ask, elsewhere, known
from services.cli.selection import Selection, printing, selecting, split_pairs


@click.group()
def demo() -> None:
    """Break the simulated group, and read its mails."""


@demo.command("list")
@click.argument("node", required=False)
@printing
def list_nodes(node: str | None, fields: list[str]) -> None:
    """List the simulated nodes, or show one by its AE title.

    For example: steward demo list NORTH_PACS --print port
    """
    found = items_of(_ask("GET", "/nodes"))
    chosen = [item for item in found if node in (None, pick(item, "ae_title"))]
    if not chosen:
        raise click.ClickException(f"no node {node}; there are: {', '.join(item['ae_title'] for item in found)}")
    show(chosen, fields)


@demo.command()
@click.argument("node")
def stop(node: str) -> None:
    """Stop a node: its port is closed, as after a crash."""
    _ask("POST", f"/nodes/{node}/stop")
    click.echo(f"{node} is stopped")


@demo.command()
@click.argument("node")
def start(node: str) -> None:
    """Start a node that was stopped, on its port."""
    _ask("POST", f"/nodes/{node}/start")
    click.echo(f"{node} runs")


@demo.command()
@click.argument("filters", nargs=-1, metavar="[to=PART] [subject=PART] [after=TIME]")
@selecting
def mails(selection: Selection, filters: tuple[str, ...]) -> None:
    """Show the mails that have arrived, oldest first.

    For example: steward demo mails to=@north.example subject=Critical --print to,subject
    """
    query = dict(split_pairs(filters))
    with elsewhere(60) as client:
        selection.show(lambda: ask(client, "GET", known("mailbox"), params=query))


def _ask(method: str, path: str) -> object:
    with elsewhere(60) as client:
        return ask(client, method, known("demo") + path)
