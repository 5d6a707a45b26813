"""Results that the service can't take, each in a file of its own, for whoever finds out why. Nothing here goes away."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = "quarantine"


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of the spool in ``folder``."""

    folder: Path

    def put(self, number: int, body: bytes, reason: str) -> Path:
        """Makes a result durable here, with why it was not taken; once, however often it is put.

        ``number`` is the one that it has in the spool. Raises OSError when the disk is full or can't be written.
        """
        self._home.mkdir(exist_ok=True)
        path = self._home / f"{number:012}-{hashlib.sha256(body).hexdigest()[:12]}.json"
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason, "result": _readable(body)}
        with path.with_suffix(".new").open("w", encoding="utf-8") as file:
            json.dump(told, file, ensure_ascii=True, indent=1)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".new").replace(path)
        for folder in (self._home, self.folder):
            _sync(folder)
        return path

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(1 for _ in self._files())

    def contents(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Each with its file, the oldest first."""
        for path in sorted(self._files()):
            yield path, json.loads(path.read_text(encoding="utf-8"))

    @property
    def _home(self) -> Path:
        return self.folder / FOLDER

    def _files(self) -> Iterator[Path]:
        return self._home.glob("*.json")


def _readable(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _sync(folder: Path) -> None:
    """Makes a name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
