"""A log behind an address, by the read API of C2SP tlog-tiles: a running Steward's, or any other log's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx
import msgspec

from services.compliance.verify.domain import BUNDLE, Gap, PartitionRow
from services.compliance.verify.tiled import TiledReader
from shared.errors import Unavailable

TIMEOUT = 60.0
ATTEMPTS = 3
PRUNED = "pruned"
INDEX_UNREAD = "the search index and whatever else only the database holds were not read; --database does"


@dataclass(frozen=True, slots=True)
class RestSource:
    """The log whose parts stand below ``url``; ``token`` is that of an auditor of the whole group, if one is needed."""

    url: str
    token: str | None = None

    def open(self) -> TiledReader:
        """Begins to read. Raises Unavailable, here and below, when there is no answer, or a refusal."""
        served = Served(self.url, self.token)
        try:
            pruned = parse_pruned(served.read(PRUNED)) if self.token else {}
        except Unavailable:
            served.close()
            raise
        return TiledReader(self, served, sealed=False, pruned=pruned)


class _Problem(msgspec.Struct):
    detail: str


class _Pruned(msgspec.Struct):
    first: int
    end: int
    pruned_at: datetime
    location: str


def parse_pruned(raw: bytes | None) -> dict[Gap, PartitionRow]:
    """The entries that a log says were pruned; each must be told by an entry. Raises Unavailable."""
    try:
        found = msgspec.json.decode(raw or b"[]", type=list[_Pruned])
    except msgspec.MsgspecError as exc:
        raise Unavailable(f"{PRUNED} can't be read: {exc}") from exc
    rows, end = {}, 0
    for one in sorted(found, key=lambda one: one.first):
        if not end <= one.first < one.end or one.first % BUNDLE or one.end % BUNDLE:
            raise Unavailable(f"{PRUNED}: the entries from {one.first} up to {one.end} can't have been pruned")
        rows[one.first, one.end] = PartitionRow((), one.pruned_at, one.location)
        end = one.end
    return rows


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
            raise Unavailable(f"{answer.url}: {answer.status_code} {_words_of(answer)}")
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


def _words_of(answer: httpx.Response) -> str:
    """What a problem document (RFC 9457) says, or else the beginning of the answer."""
    try:
        return msgspec.json.decode(answer.content, type=_Problem).detail
    except msgspec.MsgspecError:
        return answer.text[:500]
