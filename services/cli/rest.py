"""How the command speaks to a running Steward: where it is, with which token, and what to do with a refusal."""

import json
import os
from pathlib import Path
from typing import Any, NoReturn

import click
import httpx

UP_FILE = Path(".steward/up.json")


def api() -> httpx.Client:
    """A client of the Steward that STEWARD_URL and STEWARD_TOKEN name, else of the one that `steward up` runs here."""
    url, token = os.environ.get("STEWARD_URL"), os.environ.get("STEWARD_TOKEN")
    if (url is None or token is None) and UP_FILE.exists():
        told = json.loads(UP_FILE.read_text())
        url, token = url or told["url"], token or told["token"]
    if url is None or token is None:
        raise click.ClickException(
            "no Steward is known: set STEWARD_URL and STEWARD_TOKEN, or run this where `steward up` runs"
        )
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def ask(client: httpx.Client, method: str, path: str, **request: Any) -> Any:
    """The JSON answer. Ends the command with what the problem document says when the request is refused."""
    try:
        answer = client.request(method, path, **request)
    except httpx.HTTPError as exc:
        raise click.ClickException(f"{client.base_url} does not answer: {exc}") from exc
    if answer.is_error:
        _refuse(answer)
    return answer.json()


def _refuse(answer: httpx.Response) -> NoReturn:
    try:
        told = answer.json()
    except ValueError:
        raise click.ClickException(f"{answer.status_code}: {answer.text[:500]}") from None
    lines = [f"{told.get('title', answer.status_code)}: {told.get('detail', '')}"]
    for error in told.get("errors", [])[1:]:
        lines.append(f"  {error['field']}: {error['rule']}, for example {error['example']}")
    lines += [f"  {key}: {value}" for key, value in told.items() if key not in _SHOWN]
    raise click.ClickException("\n".join(lines))


_SHOWN = {"type", "title", "status", "detail", "errors"}


def show(found: Any) -> None:
    """Prints JSON as a person reads it."""
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
