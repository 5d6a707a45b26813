"""Secrets of checks: a setting holds a secret's name; its value is a file that only who runs the check can read."""

from dataclasses import dataclass
from pathlib import Path

LONGEST_SECRET = 65_536


class SecretMissing(Exception):
    """A secret can't be read here; says which file would hold it, never what is in it."""


@dataclass(frozen=True)
class Secrets:
    """The folder of secrets of this replica or agent; None when it has none."""

    folder: str | None

    def path(self, name: str) -> Path:
        """The file that holds the secret. Raises SecretMissing when it can't be read."""
        if self.folder is None:
            raise SecretMissing(f"The secret {name} is needed, but STEWARD_PROBE_SECRETS names no folder here.")
        path = Path(self.folder) / name
        if not path.is_file():
            raise SecretMissing(f"The secret {name} is missing here: put it into the file {path}.")
        return path

    def read(self, name: str) -> str:
        """The secret without the line's end behind it. Raises SecretMissing when there is none, or it is no text."""
        path = self.path(name)
        try:
            with path.open("rb") as file:
                text = file.read(LONGEST_SECRET).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            raise SecretMissing(f"The secret {name} can't be read from {path}: {type(exc).__name__}.") from exc
        if not text:
            raise SecretMissing(f"The secret {name} is empty: write it into the file {path}.")
        return text
