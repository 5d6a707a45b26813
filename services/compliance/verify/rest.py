"""A log behind an address, by the read API of C2SP tlog-tiles: a running Steward's, or any other log's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from services.compliance.verify.tiled import TiledReader
from shared.errors import Unavailable

TIMEOUT = 60.0
ATTEMPTS = 3
INDEX_UNREAD = "the search index and whatever else only the database holds were not read; --database does"


@dataclass(frozen=True, slots=True)
class RestSource:
    """The log whose parts stand below ``url``; ``token`` is that of an auditor of the whole group, if one is needed."""

    url: str
    token: str | None = None

    def open(self) -> TiledReader:
        """Begins to read. Raises Unavailable, here and below, when there is no answer, or a refusal."""
        return TiledReader(self, Served(self.url, self.token), sealed=False)


class Served:
    """The parts that a log serves."""

    def __init__(self, url: str, token: str | None) -> None:
        self.unchecked: Sequence[str] = [INDEX_UNREAD] if token else []
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=TIMEOUT,
            transport=httpx.HTTPTransport(retries=ATTEMPTS),
        )

    def read(self, name: str) -> bytes | None:
        """One part."""
        try:
            answer = self._client.get(name)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            raise Unavailable(f"{self._client.base_url} does not answer: {exc}") from exc
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise Unavailable(f"{answer.url}: {answer.status_code} {answer.text[:500]}")
        return answer.content

    def listed(self, folder: str) -> Iterable[str]:
        """Nothing: what is served can't be listed."""
        return ()

    def names(self) -> Iterable[str]:
        """Nothing either."""
        return ()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
