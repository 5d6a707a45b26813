"""What docker-compose.yml gives a service: its environment and its command, in the places of this machine."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.walkthrough.readme import PROJECT

RUN = ["sh", "-c", 'exec steward run "$SERVICE"']
"""The image's own command (Dockerfile)."""


@dataclass(frozen=True)
class Places:
    """Where volumes, secrets and archives lie here, and which address here stands for which of a container."""

    volumes: Path
    secrets: Path
    archives: Path
    addresses: Mapping[str, str]


@dataclass(frozen=True)
class Container:
    """One service of the compose file."""

    name: str
    about: Mapping[str, Any]
    places: Places

    @classmethod
    def find(cls, name: str, places: Places) -> "Container":
        """The service of that name."""
        return cls(name, yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"][name], places)

    def environment(self) -> dict[str, str]:
        """Exactly the variables that the file sets; paths and addresses are those of this machine."""
        return {name: self._here(str(value)) for name, value in self.about.get("environment", {}).items()}

    def command(self) -> list[str]:
        """The command line; what the file does not say, the image does."""
        return [self._here(part) for part in self.about.get("command", RUN)]

    def _here(self, text: str) -> str:
        mounts = self._mounts()
        inside = re.compile("|".join(re.escape(place) for place in sorted(mounts, key=len, reverse=True)))
        there = inside.sub(lambda place: str(mounts[place.group()]), text)
        return self.places.addresses.get(there, there)

    def _mounts(self) -> dict[str, Path]:
        mounts = {"/run/secrets": self.places.secrets}
        for volume in self.about.get("volumes", []):
            source, _, rest = volume.rpartition("}:") if "${" in volume else volume.partition(":")
            inside = rest.removesuffix(":ro")
            mounts[inside] = self.places.archives if "${" in volume else self.places.volumes / source
        for folder in mounts.values():
            folder.mkdir(parents=True, exist_ok=True)
        return mounts
