"""`steward scan`: which addresses of a hospital's network answer in DICOM. It asks before it touches any of them."""

import asyncio
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from services.probes.scan.domain import Answer, Range

COLUMNS = ("name", "ae_title", "host", "port", "role")
DICOM_PORTS = (104, 11112)


@click.command()
@click.argument("range_", metavar="RANGE")
@click.option("--port", "ports", type=int, multiple=True, default=DICOM_PORTS, show_default=True, help="port to ask")
@click.option("--rate", type=click.FloatRange(0.1, 200), default=20, show_default=True, help="connections a second")
@click.option("--calling", default="STEWARD", show_default=True, help="our AE title")
@click.option("--called", default="ANY-SCP", show_default=True, help="AE title that is called")
@click.option("--timeout", type=click.FloatRange(0.1, 60), default=3, show_default=True, help="seconds for an answer")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="CSV file for `steward import nodes`")
@click.option("--public", is_flag=True, help="the range is yours though it is in the public Internet")
@click.option("--yes", is_flag=True, help="don't ask before starting")
def scan(
    range_: str,
    ports: tuple[int, ...],
    rate: float,
    calling: str,
    called: str,
    timeout: float,
    out: Path | None,
    public: bool,
    yes: bool,
) -> None:
    """Ask every address of RANGE, for example 10.1.2.0/24, with a C-ECHO.

    Devices log such questions, and old ones may stumble over them: tell those who look after the network first.
    """
    from services.probes.scan.domain import Range

    asked = Range.parse(range_, ports, rate, public=public)
    click.echo(
        f"{asked.count} connections from this machine to {asked.network}, ports {', '.join(map(str, asked.ports))}, "
        f"at most {rate:g} a second: {asked.minutes:.1f} minutes or more. Where one is taken, a C-ECHO as {calling} "
        f"to {called}."
    )
    if not yes:
        click.confirm("Go on?", abort=True)
    answers = asyncio.run(_scan(asked, called, calling, timeout))
    for answer in answers:
        click.echo(f"{answer.host}:{answer.port}  {answer.speaks}  {answer.detail}")
    click.echo(f"{len(answers)} answered")
    if out is not None:
        _write(out, answers, called)


async def _scan(asked: "Range", called: str, calling: str, timeout: float) -> "list[Answer]":
    from services.probes.scan.sweep import sweep

    with click.progressbar(length=asked.count, label="Asking", file=sys.stderr) as bar:
        found = [answer async for answer in sweep(asked, called, calling, timeout, lambda _: bar.update(1))]
    return sorted(found, key=lambda answer: (answer.host, answer.port))


def _write(path: Path, answers: "list[Answer]", called: str) -> None:
    """The nodes that were found. Which AE title one has, only its owner knows where it did not take ours."""
    with path.open("w", newline="") as file:
        sheet = csv.writer(file)
        sheet.writerow(COLUMNS)
        for answer in answers:
            if answer.speaks != "speaks no DICOM":
                title = called if answer.speaks == "verified" else ""
                sheet.writerow((f"{answer.host}:{answer.port}", title, answer.host, answer.port, "modality"))
