"""How the command prints what it was answered: as JSON, or only the fields that were asked for."""

import json
from collections.abc import Sequence
from typing import Any

import click

Item = dict[str, Any]

MISSING = object()


def show(answer: Any, fields: Sequence[str] = ()) -> None:
    """Prints the answer as JSON; with ``fields``, a line for each of its items with these fields alone, in columns."""
    if fields:
        print_fields(items_of(answer), fields)
    else:
        click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def items_of(answer: Any) -> list[Item]:
    """The items of a page or a list; one thing is a list of itself."""
    if is_page(answer):
        return list(answer["items"])
    return answer if isinstance(answer, list) else [answer]


def is_page(answer: Any) -> bool:
    """Whether this is a page of items. A thing may have a field ``items`` too, which is no list."""
    return isinstance(answer, dict) and isinstance(answer.get("items"), list)


def pick(item: Item, field: str) -> Any:
    """The value of a field; ``a.b`` is the field ``b`` of ``a``. ``MISSING`` when there is none."""
    found: Any = item
    for name in field.split("."):
        if not isinstance(found, dict) or name not in found:
            return MISSING
        found = found[name]
    return found


def text(value: Any) -> str:
    """A value as a shell is to see it; nothing is a dash."""
    if value is None or value is MISSING:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def print_fields(items: Sequence[Item], fields: Sequence[str]) -> None:
    """Prints the items in columns. Ends the command when not one of them has a field."""
    for field in fields:
        if items and all(pick(item, field) is MISSING for item in items):
            raise click.ClickException(f"there is no field {field!r}; there are: {', '.join(items[0])}")
    rows = [[text(pick(item, field)) for field in fields] for item in items]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
