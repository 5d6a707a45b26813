"""How the command speaks to a running Steward: where it is, with which token, and what to do with a refusal.

httpx is loaded by the first request: it takes half the time in which a command starts that makes none.
"""

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    import httpx

UP_FILE = Path(".steward/up.json")
ADDRESSES = ("url", "token", "mailbox", "demo")


def known(what: str) -> str:
    """One of ``ADDRESSES``, from its variable STEWARD_…, else from the Steward that runs in this folder."""
    value = addresses().get(what)
    if value is None:
        raise click.ClickException(
            f"no running Steward is known: set {variable(what)}, or call this in the folder where `steward up` runs, "
            f"which writes {UP_FILE} there"
        )
    return value


def addresses() -> dict[str, str]:
    """All of ``ADDRESSES`` that are known."""
    told: dict[str, str] = json.loads(UP_FILE.read_text()) if UP_FILE.exists() else {}
    found = {name: os.environ.get(variable(name)) or told.get(name) for name in ADDRESSES}
    return {name: value for name, value in found.items() if value}


def variable(address: str) -> str:
    """The environment variable of an address."""
    return f"STEWARD_{address.upper()}"


def api() -> "httpx.Client":
    """A client of the running Steward's REST API."""
    import httpx

    return httpx.Client(base_url=known("url"), headers={"Authorization": f"Bearer {known('token')}"}, timeout=60)


def elsewhere(timeout: float) -> "httpx.Client":
    """A client of whatever is asked by its whole address."""
    import httpx

    return httpx.Client(timeout=timeout)


def ask(client: "httpx.Client", method: str, path: str, **request: Any) -> Any:
    """The JSON answer. Ends the command with what the problem document says when the request is refused."""
    return _ask(client, method, path, **request).json()


def ask_tagged(client: "httpx.Client", path: str) -> tuple[Any, str]:
    """A thing, and the ETag that a change of it must name. Ends the command as ``ask`` does."""
    answer = _ask(client, "GET", path)
    if (etag := answer.headers.get("etag")) is None:
        raise click.ClickException(f"{path} is nothing that can be changed by its id")
    return answer.json(), etag


def ask_bytes(client: "httpx.Client", path: str) -> bytes:
    """The answer to a GET as it is. Ends the command as ``ask`` does."""
    return _ask(client, "GET", path).content


def _ask(client: "httpx.Client", method: str, path: str, **request: Any) -> "httpx.Response":
    import httpx

    try:
        answer = client.request(method, path, **request)
    except httpx.HTTPError as exc:
        raise _unanswered(client, path, exc) from exc
    if answer.is_error:
        _refuse(answer)
    return answer


def download(client: "httpx.Client", path: str, file: IO[bytes], **request: Any) -> int:
    """Writes an answer of any length to ``file`` and returns its length.

    Ends the command when the request is refused, and when the answer breaks off: what was written then is not whole.
    """
    import httpx

    try:
        with client.stream("GET", path, **request) as answer:
            if answer.is_error:
                answer.read()
                _refuse(answer)
            return sum(file.write(piece) for piece in answer.iter_bytes())
    except httpx.RemoteProtocolError as exc:
        raise click.ClickException(f"the answer broke off, so nothing is kept of it: {exc}") from exc
    except httpx.HTTPError as exc:
        raise _unanswered(client, path, exc) from exc


def _unanswered(client: "httpx.Client", path: str, exc: "httpx.HTTPError") -> click.ClickException:
    import httpx

    where = httpx.URL(path) if path.startswith("http") else client.base_url
    return click.ClickException(f"{where.scheme}://{where.netloc.decode()} does not answer: {exc}")


def _refuse(answer: "httpx.Response") -> NoReturn:
    try:
        told = answer.json()
    except ValueError:
        raise click.ClickException(f"{answer.status_code}: {answer.text[:500]}") from None
    lines = [f"{told.get('title', answer.status_code)}: {told.get('detail', '')}"]
    for error in told.get("errors", [])[1:]:
        lines.append(f"  {error['field']}: {error['rule']}, for example {error['example']}")
    lines += [f"  {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in told.items() if key not in _SHOWN]
    raise click.ClickException("\n".join(lines))


_SHOWN = {"type", "title", "status", "detail", "errors", "instance"}
