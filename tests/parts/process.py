"""What all parts share: a program that must be installed, runs in the background and ends with us."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

ADMIN_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


class PartMissing(Exception):
    """A program that a test needs is not installed; says which command installs it."""


class PartFailed(Exception):
    """A part ended, or did not answer in time; says where its output lies."""


def find_program(name: str, *, package: str) -> str:
    """The path of a program, looked for in the administrator's folders too."""
    path = shutil.which(name) or shutil.which(name, path=ADMIN_FOLDERS)
    if path is None:
        raise PartMissing(f"{name} is not installed: parts/install {package}")
    return path


def free_port() -> int:
    """A port nobody listens on, which no other process of any tests is given for as long as this one lives.

    It lies below the range that outgoing connections draw theirs from. A part that is killed and restarted must find
    its port free. One from that range could meanwhile be taken by any client, even by a client of the part that
    connects to itself.
    """
    for port in random.sample(range(20_000, 32_000), 200):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as claim, socket.socket() as probe:
            claim.bind(f"\0steward-tests-port-{port}")
            probe.bind(("127.0.0.1", port))
            # The name in the abstract namespace is taken until the descriptor is closed: at the end of this process.
            claim.detach()
            return port
    raise PartFailed("no free port between 20000 and 32000")


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and that nobody else can listen on meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def accepts_connections(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Part:
    """A program in the background, with its output in ``DIRECTORY/NAME.log``; usable as a context manager."""

    name = "part"
    starts_within = 60.0

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when the part answers; raises ``PartMissing`` or ``PartFailed``."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._reaper = reap_after_us(self._process.pid)
        try:
            self._wait_until(self.answers)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Asks the part to end, and returns when it has; ends it by force after 20 s."""
        if self._process:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
        self.kill()

    def kill(self) -> None:
        """Ends the part at once, by SIGKILL; its files stay as they are."""
        for process in (self._reaper, self._process):
            if process:
                process.kill()
                process.communicate()
        self._process = self._reaper = None

    def restart(self) -> None:
        """Starts the part again on its files and its ports, after ``stop`` or ``kill``."""
        self.start()

    def prepare(self) -> None:
        """Lays the files that the part reads at its start."""

    def command(self) -> Sequence[str]:
        """The command line of the part, which stays in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the part serves its clients."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until(self, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.starts_within
        while not answers():
            if self._process is None or self._process.poll() is not None:
                raise PartFailed(f"{self.name} ended as it started:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise PartFailed(f"{self.name} does not answer after {self.starts_within:.0f} s:\n{self._last_words()}")
            time.sleep(0.05)

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def reap_after_us(pid: int) -> "subprocess.Popen[bytes]":
    """A process that kills ``pid`` as soon as we are gone, even by SIGKILL: its standard input ends with us."""
    return subprocess.Popen(["sh", "-c", 'read -r _; kill -KILL "$1"', "sh", str(pid)], stdin=subprocess.PIPE)
