"""What of an answer a command shows, and how long it waits for it: the options that all reading commands share."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click

from services.cli.output import Item, is_page, items_of, pick, show, text

PAUSE = 0.3
LONGEST_SHOWN = 600

P = ParamSpec("P")
Headers = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Selection:
    """Shows the items that have all of ``where``, when there are ``at_least`` so many or ``wait`` seconds are over."""

    where: Sequence[tuple[str, str]]
    wait: float | None
    at_least: int
    fields: Sequence[str]

    def show(self, read: Callable[[], Any]) -> None:
        """Reads, again and again where it is to wait, and prints. Ends the command when it has waited in vain."""
        deadline = time.monotonic() + (self.wait or 0)
        answer = read()
        while self.wait is not None and len(self._chosen(answer)) < self.at_least:
            if time.monotonic() > deadline:
                raise click.ClickException(self._in_vain(answer))
            time.sleep(PAUSE)
            answer = read()
        show(self._reduced(answer), self.fields)

    def _chosen(self, answer: Any) -> list[Item]:
        return [
            item for item in items_of(answer) if all(text(pick(item, field)) == value for field, value in self.where)
        ]

    def _reduced(self, answer: Any) -> Any:
        if not self.where:
            return answer
        chosen = self._chosen(answer)
        return answer | {"items": chosen} if is_page(answer) else chosen

    def _in_vain(self, answer: Any) -> str:
        wanted = " and ".join(f"{field}={value}" for field, value in self.where)
        found = items_of(answer)
        told = f"waited {self.wait:g} s for {self.at_least}{' with ' + wanted if wanted else ''}"
        told += f", and found {len(self._chosen(answer))}"
        if self.where and found:
            told += f". What there is looks like this: {json.dumps(found[0], ensure_ascii=False)[:LONGEST_SHOWN]}"
        return told


def split_pairs(pairs: Sequence[str]) -> list[tuple[str, str]]:
    """``name=value`` arguments in parts."""
    parts = []
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{pair!r} must be name=value, for example site_id=north")
        parts.append((name, value))
    return parts


def reasoning(command: Callable[Concatenate[Headers, P], None]) -> Callable[..., None]:
    """Gives a command the option ``--reason``, as the headers that say so, its first argument."""

    @click.option("--reason", help="Why, for the record.")
    @wraps(command)
    def reasoned(*args: Any, reason: str | None, **kwargs: Any) -> None:
        command({"Change-Reason": reason.encode(errors="surrogateescape")} if reason else {}, *args, **kwargs)

    return reasoned


def printing(command: Callable[P, None]) -> Callable[P, None]:
    """Gives a command the option ``--print``, as its argument ``fields``."""
    option = click.option(
        "--print",
        "fields",
        metavar="FIELD,…",
        default="",
        callback=lambda _context, _option, value: [part for part in value.split(",") if part],
        help="Print these fields alone, a line an item; a.b is the field b of a.",
    )
    return option(command)


def selecting(command: Callable[Concatenate[Selection, P], None]) -> Callable[..., None]:
    """Gives a command the options of a Selection, as its first argument."""

    @click.option(
        "--where", multiple=True, metavar="FIELD=VALUE", help="Show only items whose field is this; a.b nests."
    )
    @click.option("--wait", type=float, metavar="SECONDS", help="Wait so long until there is one.")
    @click.option(
        "--at-least",
        type=click.IntRange(1),
        default=1,
        metavar="N",
        help="Wait until there are so many.",
    )
    @printing
    @wraps(command)
    def selected(
        *args: Any, where: tuple[str, ...], wait: float | None, at_least: int, fields: Sequence[str], **kwargs: Any
    ) -> None:
        command(Selection(split_pairs(where), wait, at_least, fields), *args, **kwargs)

    return selected
