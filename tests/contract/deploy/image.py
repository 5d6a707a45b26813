"""The Dockerfile, read as far as promises about it can be held without an engine that builds it."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.source import ROOT


@dataclass(frozen=True)
class Instruction:
    """One instruction, with its continued lines joined and the name of the stage that it stands in."""

    stage: str
    name: str
    text: str

    @property
    def words(self) -> Sequence[str]:
        """Its arguments as a shell reads them."""
        return shlex.split(self.text)


def instructions() -> Sequence[Instruction]:
    """All instructions, in order."""
    return list(_read((ROOT / "Dockerfile").read_text()))


def image_environment() -> Mapping[str, str]:
    """The environment variables that the image sets by itself."""
    return dict(word.split("=", 1) for step in instructions() if step.name == "ENV" for word in step.words)


def _read(text: str) -> Iterator[Instruction]:
    stage = ""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            if name == "FROM":
                stage = rest.rpartition(" AS ")[2]
            yield Instruction(stage, name, rest.strip())
