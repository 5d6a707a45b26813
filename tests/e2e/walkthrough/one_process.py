"""`steward up` in a folder of its own, as a person starts and ends it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.e2e.walkthrough.readme import STEWARD, shell_environment

ENDS_WITHIN = 60.0


@dataclass(frozen=True)
class Up:
    """A running `steward up`; ``printed`` is what it said until it was ready."""

    process: "subprocess.Popen[str]"
    folder: Path
    printed: str

    @property
    def up_file(self) -> Path:
        """Where it told its addresses."""
        return self.folder / ".steward" / "up.json"

    @property
    def told(self) -> dict[str, str]:
        """Its addresses and its token."""
        found: dict[str, str] = json.loads(self.up_file.read_text())
        return found

    def family(self) -> list[psutil.Process]:
        """The process and all that it started, and that those started."""
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """What the family, and those of it that have ended, have used of the processors' time."""
        return sum(sum(process.cpu_times()[:4]) for process in self.family())

    def interrupt(self) -> int:
        """Presses Ctrl-C; returns the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(ENDS_WITHIN)


@contextmanager
def steward_up(folder: Path) -> Iterator[Up]:
    """Runs `steward up` in ``folder``; it is ready when this yields, and gone at the end."""
    folder.mkdir(exist_ok=True)
    with (folder / "up.err").open("w") as errors:
        process = subprocess.Popen(
            [STEWARD, "up"],
            cwd=folder,
            env=shell_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Up(process, folder, _read_until_ready(process, folder / "up.err"))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()


def _read_until_ready(process: "subprocess.Popen[str]", errors: Path) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "for scripts" in line:
            return "".join(lines)
    raise AssertionError(f"steward up ended as it started:\n{''.join(lines)}\n{errors.read_text()}")
