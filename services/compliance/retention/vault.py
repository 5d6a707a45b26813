"""The archive: a folder or a bucket, through obstore; the one place that touches it."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import from_url

from shared.errors import StewardError, Unavailable, WrongSetting


class ArchiveDamaged(StewardError):
    """What lies in the archive is not what was put there; says where."""


@dataclass
class Vault:
    """Objects by their path below one URL. Whole objects are written and read; none is ever changed."""

    url: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        options: dict[str, Any] = {}
        if self.url.startswith("s3://") and self.endpoint is not None:
            plain = self.endpoint.startswith("http://")
            options = {"endpoint": self.endpoint, "client_options": {"allow_http": plain}}
        try:
            self._store = from_url(self.url, **options)
        except (BaseError, ValueError) as exc:
            raise WrongSetting(f"STEWARD_LOG_ARCHIVE: {exc}, for example s3://steward-archive/log") from exc

    async def put(self, path: str, body: bytes) -> None:
        """Writes an object, unless it is there with these bytes. Raises ArchiveDamaged where others are."""
        there = await self.find(path)
        if there == body:
            return
        if there is not None:
            raise ArchiveDamaged(f"{self.url}/{path} holds other bytes than the log")
        try:
            await asyncio.to_thread(self._store.put, path, body)
        except (BaseError, OSError) as exc:
            raise Unavailable(f"the archive {self.url} does not take {path}: {exc}") from exc

    async def find(self, path: str) -> bytes | None:
        """The object, or None where there is none. Raises Unavailable."""
        try:
            return await asyncio.to_thread(self._read, path)
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as exc:
            raise Unavailable(f"the archive {self.url} does not give {path}: {exc}") from exc

    def _read(self, path: str) -> bytes:
        # From a thread: obstore's own coroutines can abort the interpreter when it ends soon after them.
        return bytes(self._store.get(path).bytes())

    async def settle(self) -> None:
        """Returns when what was written is on the disk, where the archive is a folder."""
        if self.url.startswith("file:"):
            await asyncio.to_thread(os.sync)
