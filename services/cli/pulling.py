"""Asks servers that are not Steward's: each answer bounded, at a rate, again after a fault that may pass."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import httpx

MOST_BYTES = 32 * 1024 * 1024
TRIES = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
TIMEOUT = 30.0
PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass
class Puller:
    """Asks one server; never another one, to which an answer might lead. Certificates are verified.

    ``per_second`` is how many requests it makes at most. Ends the command with what is wrong.
    """

    base: str
    headers: dict[str, str] = field(default_factory=dict)
    per_second: float = 10.0
    _last: float = 0.0

    def get(self, url: str) -> bytes:
        """The answer to a GET of an address below ``base``, or of a path."""
        import httpx

        whole = httpx.URL(self.base).join(url)
        if (whole.scheme, whole.host, whole.port) != _origin(self.base):
            raise click.ClickException(f"{self._host} leads to another server, {whole.host}, which is not asked")
        pause = FIRST_PAUSE
        with httpx.Client(timeout=TIMEOUT, headers=self.headers, follow_redirects=False) as client:
            for left in reversed(range(TRIES)):
                self._keep_rate()
                try:
                    with client.stream("GET", whole) as answer:
                        if answer.status_code not in PASSING or not left:
                            return self._content(answer)
                        told = answer.headers.get("retry-after", "")
                except httpx.HTTPError as exc:
                    if not left:
                        raise click.ClickException(f"{whole.host} does not answer: {str(exc) or exc!r}") from exc
                    told = ""
                time.sleep(min(float(told), LONGEST_PAUSE) if told.isascii() and told.isdigit() else pause)
                pause *= 2
        raise AssertionError("the last try returns or raises")

    def json(self, url: str) -> Any:
        """The answer as JSON."""
        import json

        try:
            return json.loads(self.get(url))
        except (ValueError, RecursionError) as exc:
            raise click.ClickException(f"{self._host} does not answer with JSON: {exc}") from exc

    @property
    def _host(self) -> str:
        return _origin(self.base)[1]

    def _content(self, answer: "httpx.Response") -> bytes:
        if answer.status_code != 200:
            raise click.ClickException(f"{answer.url.host}{answer.url.path} answers {answer.status_code}")
        content = bytearray()
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MOST_BYTES:
                raise click.ClickException(f"{answer.url.host} answers with more than {MOST_BYTES} bytes")
        return bytes(content)

    def _keep_rate(self) -> None:
        wait = self._last + 1 / self.per_second - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._last = time.monotonic()


def _origin(base: str) -> tuple[str, str, int | None]:
    import httpx

    url = httpx.URL(base)
    return url.scheme, url.host, url.port
