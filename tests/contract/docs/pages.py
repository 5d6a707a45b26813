"""The pages of the project, and what they name: links, files, requests, commands, settings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.source import ROOT

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^ *```(?P<language>\w*)\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)
SPAN = re.compile(r"`(?P<text>[^`]+)`")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One Markdown page; ``path`` is relative to the repository."""

    path: str
    text: str

    @property
    def folder(self) -> Path:
        """Where its relative links start."""
        return (ROOT / self.path).parent

    @property
    def prose(self) -> str:
        """The text without its blocks of code."""
        return FENCE.sub("", self.text)

    def links(self) -> list[str]:
        """The targets of its links."""
        return [found["target"] for found in LINK.finditer(self.prose)]

    def spans(self) -> list[str]:
        """What stands as code within its sentences, on one line."""
        return [" ".join(found["text"].split()) for found in SPAN.finditer(self.prose)]

    def blocks(self, *languages: str) -> list[str]:
        """Its blocks of code in these languages; those without one, or indented ones, are of the language ``""``."""
        fenced = [found["body"] for found in FENCE.finditer(self.text) if found["language"] in languages]
        return fenced + (INDENTED.findall(self.prose) if "" in languages else [])

    def code(self) -> Iterator[str]:
        """All that it shows as code: spans, and each line of its shell blocks, those that go on joined."""
        yield from self.spans()
        for block in self.blocks("bash", "sh", ""):
            yield from block.replace("\\\n", " ").splitlines()

    def anchors(self) -> set[str]:
        """What a link can name of it: its headings, as forges write them."""
        headings = (found["text"].lower() for found in HEADING.finditer(self.prose))
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


@cache
def pages() -> tuple[Page, ...]:
    """All pages of the repository."""
    paths = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
    return tuple(Page(str(path.relative_to(ROOT)), path.read_text()) for path in paths)
