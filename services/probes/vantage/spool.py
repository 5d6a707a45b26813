"""The spool: results on the agent's disk until the service has them, and the work that it was last given.

What ``add`` has returned from survives a crash and a power cut. A file that can't be read is put aside, never deleted.
"""

import sqlite3
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from shared.telemetry import log

FILE = "spool.sqlite"
SCHEMA = """
CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS errands (id TEXT PRIMARY KEY, result INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memory (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
LOST = "lost"
WORK = "work"


class Kept(NamedTuple):
    """A result in JSON, and the id of the errand that it answers, if it answers one."""

    body: bytes
    errand: str | None = None


class Spool:
    """A spool in ``folder``, of at most ``most`` results; beyond that the oldest go, and are counted as lost.

    Any thread may use it. Every method raises sqlite3.OperationalError when the disk is full or can't be written.
    """

    def __init__(self, folder: Path, most: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._most = most
        self._lock = threading.RLock()
        path = folder / FILE
        try:
            self._db = _open(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as exc:
            aside = path.with_name(f"{FILE}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            path.replace(aside)
            log.error("spool.damaged", kept_as=str(aside), reason=str(exc))
            self._db = _open(path)

    def close(self) -> None:
        """Ends the use of the file."""
        self._db.close()

    def add(self, results: Sequence[Kept]) -> None:
        """Makes results durable, in this order."""
        with self._lock, self._db:
            for body, errand in results:
                place = self._db.execute("INSERT INTO results (body) VALUES (?)", (body,)).lastrowid
                if errand is not None:
                    self._db.execute("INSERT OR REPLACE INTO errands (id, result) VALUES (?, ?)", (errand, place))
            excess = self.waiting - self._most
            if excess > 0:
                self._forget(self._first + excess - 1)
                self._remember(LOST, str(self.lost + excess).encode())

    def count_lost(self, count: int) -> None:
        """Remembers that so many results never came here."""
        with self._lock, self._db:
            self._remember(LOST, str(self.lost + count).encode())

    def oldest(self, limit: int, most_bytes: int) -> list[tuple[int, bytes]]:
        """The next results to bring, each with its number here; one at least, and more as far as there is room."""
        with self._lock:
            found = self._db.execute("SELECT id, body FROM results ORDER BY id LIMIT ?", (limit,)).fetchall()
        sizes = accumulate(len(body) for _, body in found)
        return [
            one for place, (one, size) in enumerate(zip(found, sizes, strict=True)) if not place or size <= most_bytes
        ]

    def remove(self, last: int) -> None:
        """Forgets all results up to that number: the service has them."""
        with self._lock, self._db:
            self._forget(last)

    @property
    def answered(self) -> list[str]:
        """The errands whose results are here."""
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT id FROM errands")]

    @property
    def waiting(self) -> int:
        """How many results are here. Only the oldest ever go, so their numbers have no gaps."""
        with self._lock:
            return int(self._db.execute("SELECT coalesce(max(id) - min(id) + 1, 0) FROM results").fetchone()[0])

    @property
    def lost(self) -> int:
        """How many results were dropped since this spool was made."""
        return int(self._recall(LOST) or b"0")

    @property
    def work(self) -> bytes | None:
        """The work that the service last gave, as it gave it."""
        return self._recall(WORK)

    def keep_work(self, body: bytes) -> None:
        """Makes the work durable, so that a restart without a link goes on with it."""
        with self._lock, self._db:
            self._remember(WORK, body)

    @property
    def _first(self) -> int:
        return int(self._db.execute("SELECT coalesce(min(id), 0) FROM results").fetchone()[0])

    def _forget(self, last: int) -> None:
        self._db.execute("DELETE FROM results WHERE id <= ?", (last,))
        self._db.execute("DELETE FROM errands WHERE result <= ?", (last,))

    def _remember(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", (name, value))

    def _recall(self, name: str) -> bytes | None:
        with self._lock:
            row = self._db.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None


def look_into(folder: Path) -> tuple[int, int, bytes | None]:
    """How many results wait in a spool, how many were dropped, and the oldest, while an agent may be at it.

    Nothing is made or changed. Raises sqlite3.Error where there is no spool, or none that can be read.
    """
    db = sqlite3.connect(f"{(folder / FILE).resolve().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        waiting, oldest = db.execute("SELECT count(*), min(id) FROM results").fetchone()
        lost = db.execute("SELECT value FROM memory WHERE name = ?", (LOST,)).fetchone()
        body = db.execute("SELECT body FROM results WHERE id = ?", (oldest,)).fetchone()
    finally:
        db.close()
    return waiting, int(lost[0]) if lost else 0, bytes(body[0]) if body else None


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(SCHEMA)
        db.execute("SELECT count(*) FROM results")
    except sqlite3.Error:
        db.close()
        raise
    return db
