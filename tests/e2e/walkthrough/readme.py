"""Runs the bash blocks of README.md in their order as one shell session, and keeps what each section printed."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[3]
README = PROJECT / "README.md"
PROGRAMS = Path(sys.executable).parent
STEWARD = PROGRAMS / "steward"

HEADING_OR_BLOCK = re.compile(r"^#+ (?P<heading>[^\n]+)$|^```bash\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "\x1e"
SECONDS = 480


@dataclass(frozen=True)
class Block:
    """A bash block and the heading that it stands under."""

    heading: str
    script: str


def blocks(text: str) -> Iterator[Block]:
    """The bash blocks of a Markdown text."""
    heading = ""
    for found in HEADING_OR_BLOCK.finditer(text):
        if found["heading"]:
            heading = found["heading"]
        else:
            yield Block(heading, found["block"])


@dataclass(frozen=True)
class Walk:
    """What the walk-through printed, by section."""

    printed: Mapping[str, str]

    def lines(self, heading: str) -> list[str]:
        """The lines that were printed under a heading."""
        return [line for line in self.printed[heading].splitlines() if line.strip()]

    def cells(self, heading: str) -> list[list[str]]:
        """The same in the columns that `--print` makes."""
        return [re.split(r" {2,}", line) for line in self.lines(heading)]


def walk(folder: Path, environment: Mapping[str, str]) -> Walk:
    """Runs all blocks in ``folder``. Fails with what was printed when one of their commands fails."""
    script = "".join(
        f"printf '{MARK}%s\\n' {block.heading!r}\n{block.script}\n" for block in blocks(README.read_text())
    )
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"ended with {done.returncode} in {folder}:\n{done.stdout}\n{done.stderr}"
    return Walk(_by_section(done.stdout))


def _by_section(output: str) -> dict[str, str]:
    printed: dict[str, str] = {}
    for part in output.split(MARK)[1:]:
        heading, _, text = part.partition("\n")
        printed[heading] = printed.get(heading, "") + text
    return printed


def shell_environment(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a newcomer's shell in ``folder``, with the project's programs on its path."""
    return {
        "PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        **variables,
    }
