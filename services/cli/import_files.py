"""`steward import`: sends a list to inventory, shows what it would change, and lets it be done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import click

from services.cli.rest import api, ask

if TYPE_CHECKING:
    import httpx

IMPORTS = "/inventory/v1/imports"
KINDS = (
    *("sites", "groups", "systems", "nodes", "components", "vendors", "products", "product-versions", "contracts"),
    *("people", "links", "usage", "fields"),
)
SIGNS = {"created": "+", "changed": "~", "refused": "!"}
POLL_SECONDS = 0.3
A_PAGE = 500
MOST_SHOWN = 2000
SHOWN_CELL = 80


@dataclass(frozen=True)
class Options:
    """How a list is to be taken in."""

    site: str
    system: str | None
    dry_run: bool
    skip_errors: bool
    yes: bool
    reason: str | None
    restore: bool = False


def importing(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of every import, as its argument ``options``."""

    @click.option("--site", default="group", help="Take rows of this site alone, also those that name none.")
    @click.option("--system", help="Id or name of the system of rows that name none.")
    @click.option("--dry-run", is_flag=True, help="Show every change and fault by row, and change nothing.")
    @click.option("--skip-errors", is_flag=True, help="Leave out rows that are refused; else nothing is taken.")
    @click.option("--yes", is_flag=True, help="Don't ask before the changes are made.")
    @click.option("--reason", help="Why, for the history.")
    @wraps(command)
    def with_options(
        *args: Any,
        site: str,
        system: str | None,
        dry_run: bool,
        skip_errors: bool,
        yes: bool,
        reason: str | None,
        **kwargs: Any,
    ) -> None:
        command(*args, options=Options(site, system, dry_run, skip_errors, yes, reason), **kwargs)

    return with_options


@click.group("import")
def import_() -> None:
    """Take in what a list holds. A list can be taken in again: what is there already stays as it is."""


def _command(kind: str) -> click.Command:
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @importing
    def take(file: Path, options: Options) -> None:
        format = "xlsx" if file.suffix.lower() == ".xlsx" else "csv"
        with file.open("rb") as content:
            take_in(content, file.name, kind.replace("-", "_"), format, options)

    told = f"Take in the {kind.replace('-', ' ')} of FILE, a CSV or a workbook (xlsx)."
    help = f"{told}\n\nIts first line names the columns; `steward export {kind}` shows all of them."
    return click.command(kind, help=help)(take)


for _kind in KINDS:
    import_.add_command(_command(_kind))


@import_.command("all")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--restore", is_flag=True, help="Make what is not there under its old id, as a fresh Steward needs it.")
@importing
def import_all(file: Path, restore: bool, options: Options) -> None:
    """Take in a ZIP with one CSV for each kind, as `steward export inventory` writes it."""
    with file.open("rb") as content:
        take_in(content, file.name, "all", "zip", replace(options, restore=restore))


def take_in(content: IO[bytes], name: str, kind: str, format: str, options: Options) -> None:
    """Shows what a list would change, asks, and has it done. Ends the command with 1 where rows are refused."""
    with api() as client:
        if options.dry_run or not options.yes:
            looked = _run(client, content, name, kind, format, options, dry_run=True)
            _show(client, looked)
            _check(looked, options)
            if options.dry_run or not (looked["created"] or looked["changed"]):
                return
            click.confirm("Make these changes?", abort=True)
        done = _run(client, content, name, kind, format, options, dry_run=False)
        if options.yes or not done["applied"]:
            _show(client, done)
        _check(done, options)
        click.echo(f"taken in: {_summary(done)}")


def take_rows_in(rows: list[dict[str, str]], name: str, kind: str, options: Options) -> None:
    """The same for rows that came from elsewhere."""
    with TemporaryFile() as file:
        write_rows(file, kind, rows)
        file.seek(0)
        take_in(file, name, kind, "csv", options)


def write_rows(file: IO[bytes], kind: str, rows: list[dict[str, str]]) -> None:
    """Writes rows as a CSV of a kind; what begins like a formula is kept from being one."""
    from services.inventory.exports.columns import COLUMNS, FIELD, field_column
    from services.inventory.exports.writer import open_sheet

    named = {name for row in rows for name in row}
    columns = [column for column in COLUMNS[kind] if column.name in named or column.needed]
    columns += [field_column(name.removeprefix(FIELD)) for name in sorted(named) if name.startswith(FIELD)]
    sheet = open_sheet("csv", file, [_as_text(column) for column in columns])
    sheet.add([row.get(column.name) for column in columns] for row in rows)
    sheet.close()


def _as_text(column: Any) -> Any:
    return replace(column, kind="text")


def _run(
    client: "httpx.Client", content: IO[bytes], name: str, kind: str, format: str, options: Options, *, dry_run: bool
) -> dict[str, Any]:
    """An import once it is over."""
    content.seek(0)
    form = {
        **{"kind": kind, "format": format, "site_id": options.site, "dry_run": str(dry_run).lower()},
        "errors": "skip" if options.skip_errors else "refuse",
        **({"system": options.system} if options.system else {}),
        **({"restore": "true"} if options.restore else {}),
    }
    headers = {"Change-Reason": options.reason.encode()} if options.reason else {}
    sent: dict[str, Any] = ask(
        client, "POST", IMPORTS, data=form, files={"file": (name, content)}, headers=headers, timeout=900
    )
    with _progress() as tell:
        while sent["state"] in ("waiting", "running"):
            time.sleep(POLL_SECONDS)
            sent = ask(client, "GET", f"{IMPORTS}/{sent['id']}")
            tell(sent)
    return sent


@contextmanager
def _progress() -> "Iterator[Callable[[dict[str, Any]], None]]":
    """Tells a person how far it is; a file or a pipe is told nothing."""
    began = time.monotonic()
    is_seen = sys.stderr.isatty()

    def tell(now: dict[str, Any]) -> None:
        if is_seen:
            click.echo(f"\r{progress_of(now, time.monotonic() - began)}  ", nl=False, err=True)

    yield tell
    if is_seen:
        click.echo(err=True)


def progress_of(now: dict[str, Any], seconds: float) -> str:
    """How far an import has come, in words."""
    if now["state"] == "waiting":
        return "waiting for its turn"
    read, expected = now["rows_read"], now["rows_expected"]
    share = f" of about {expected:,} ({100 * read // max(expected, 1)} %)" if expected else ""
    return f"{read:,} rows{share}, {read / max(seconds, 0.001):,.0f} rows/s"


def _show(client: "httpx.Client", done: dict[str, Any]) -> None:
    for shown, row in enumerate(_rows(client, done["id"])):
        if shown == MOST_SHOWN:
            click.echo(f"… and more: GET {IMPORTS}/{done['id']}/rows tells of all")
            break
        for line in lines_of(row, done["kind"] == "all"):
            click.echo(line, err=row["what"] == "refused")
    click.echo(_summary(done))


def lines_of(row: dict[str, Any], with_kind: bool) -> list[str]:
    """A row of the report, as a person reads it."""
    place = f"{SIGNS[row['what']]} {row['kind'] + ' ' if with_kind else ''}{row['place']}:"
    if row["what"] == "refused":
        return [f"{place} {one['field']} {one['rule']}, for example {one['example']}" for one in row["faults"]]
    if row["what"] == "created":
        told = ", ".join(f"{one['path']}={_cell(one['after'])}" for one in row["changes"] if one["path"] != "name")
        return [f"{place} {row['name'] or row['thing_id']}: {told}"]
    told = ", ".join(f"{one['path']} {_cell(one['before'])} → {_cell(one['after'])}" for one in row["changes"])
    return [f"{place} {row['name'] or row['thing_id']}: {told}"]


def _cell(value: Any) -> str:
    return "nothing" if value is None else "".join(c if c.isprintable() else "?" for c in str(value))[:SHOWN_CELL]


def _rows(client: "httpx.Client", import_id: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = ask(client, "GET", f"{IMPORTS}/{import_id}/rows", params={"limit": str(A_PAGE), **cursor})
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def _summary(done: dict[str, Any]) -> str:
    told = f"{done['created']} new, {done['changed']} changed, {done['same']} as they are, {done['refused']} refused"
    return f"{done['rows_read']} rows: {told}"


def _check(done: dict[str, Any], options: Options) -> None:
    if done["state"] == "failed":
        raise click.ClickException(f"nothing was changed: {done['fault']}")
    if done["refused"] and not (options.skip_errors and not options.dry_run):
        raise click.ClickException("nothing was changed: mend the rows that are refused, or give --skip-errors")
