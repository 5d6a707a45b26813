"""Small files that must be as they were after a crash: replaced whole, on the disk when the call returns."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Occupied(Exception):
    """Another process holds the lock."""


def replace_durably(path: Path, content: bytes) -> None:
    """Writes a file that its owner alone can read. Raises OSError; then the file is as before, or wholly the new one.

    One at a time may write a path: see `locking`.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def create_durably(path: Path, content: bytes) -> None:
    """Writes a file that its owner alone can read and that was not there before. Raises FileExistsError, OSError."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Returns when the names in the folder are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locking(path: Path, *, wait: bool) -> Iterator[None]:
    """Holds the lock file while the block runs; the system frees it when the process ends, however it ends.

    Raises Occupied when another holds it and ``wait`` is not asked for; OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as exc:
            raise Occupied(f"another process holds {path}") from exc
        yield
    finally:
        os.close(descriptor)
