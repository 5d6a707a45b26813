"""`steward log verify`: recomputes the audit log and names the first thing that is wrong.

Exit status: 0 the log is what it claims to be; 1 it is not; 2 it could not be read.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import httpx

from services.cli.rest import api
from shared.errors import Unavailable

if TYPE_CHECKING:
    from services.compliance.log.verify import Report

Progress = Callable[[int, int | None], None]


@click.group()
def log() -> None:
    """The audit log."""


@log.command("verify")
@click.option("--database", metavar="DSN", help="Read the log in a database instead of a running Steward.")
def verify_log(database: str | None) -> None:
    """Read the whole log and compute every hash, root, sequence and index row again.

    Over the API it takes the token of an auditor of the whole group.
    """
    with click.progressbar(length=1, label="verifying", file=sys.stderr, show_pos=True) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.length = total or done
            bar.pos = 0
            bar.update(done)

        with _unreadable():
            report = asyncio.run(_verify_database(database, progress) if database else _verify_running(progress))
    if report.fault is not None:
        click.echo(f"NOT VERIFIED: {report.fault}")
        sys.exit(1)
    click.echo(
        f"verified: {report.size} entries of {report.sites} sites, {report.roots} recorded roots, "
        f"root {report.root.hex()}"
    )


@contextmanager
def _unreadable() -> Iterator[None]:
    """Makes the command end with 2 where the log could not be read: 1 is for a log that is not what it claims to be."""
    import asyncpg

    try:
        yield
    except click.ClickException as exc:
        raise Unavailable(exc.message) from exc
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise Unavailable(f"the log can't be read: {exc}") from exc


async def _verify_running(progress: Progress) -> "Report":
    from services.compliance.log.sources import RestSource
    from services.compliance.log.verify import verify

    with api() as known:
        url, headers = known.base_url, known.headers
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        return await verify(RestSource(client), progress)


async def _verify_database(dsn: str, progress: Progress) -> "Report":
    from services.compliance.log.sources import database_source
    from services.compliance.log.verify import verify

    async with database_source(dsn) as source:
        return await verify(source, progress)
