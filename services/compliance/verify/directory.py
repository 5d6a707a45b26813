"""A log in a folder laid out as C2SP tlog-tiles says: an export, an archive, or the log of another program."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.compliance.verify.archive import CHECKPOINTS, ArchiveReader
from services.compliance.verify.tiled import CHECKPOINT, TiledReader
from shared.errors import Unavailable


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """The log in ``folder``. In a ``sealed`` one, nothing else lies among the tiles; a log that grows may be ahead."""

    folder: Path
    sealed: bool = True

    def open(self) -> TiledReader:
        """Begins to read; an archive has a folder of checkpoints, not one. Raises Unavailable without the folder."""
        if not self.folder.is_dir():
            raise Unavailable(f"{self.folder} is not a folder")
        if (self.folder / CHECKPOINTS).is_dir() and not (self.folder / CHECKPOINT).exists():
            return ArchiveReader(self, Folder(self.folder))
        return TiledReader(self, Folder(self.folder), sealed=self.sealed)


class Folder:
    """The files of a log."""

    unchecked: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self._top = f"{folder}/"

    def read(self, name: str) -> bytes | None:
        """A file."""
        try:
            with open(self._top + name, "rb", buffering=0) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise Unavailable(f"{name} can't be read: {exc}") from exc

    def listed(self, folder: str) -> Iterable[str]:
        """The files in a folder."""
        try:
            return os.listdir(self._top + folder)
        except (FileNotFoundError, NotADirectoryError):
            return ()

    def names(self) -> Iterator[str]:
        """All files below ``tile``."""
        for folder, _, files in os.walk(self._top + "tile"):
            below = folder.removeprefix(self._top)
            yield from [f"{below}/{file}" for file in files]

    def close(self) -> None:
        """Nothing is held open."""
