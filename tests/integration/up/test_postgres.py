"""The embedded PostgreSQL is up at once, private, durable, and never outlives or blocks its owner."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from services.up.postgres import SOCKET_PATH_BYTES, EmbeddedPostgres, PostgresFailed

ENDS_WITHIN = 60.0
OWNER = """
import pathlib, sys
from services.up.postgres import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
server.start()
print(server.dsn(), flush=True)
sys.stdin.read()
"""


async def fetch(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def server_pid(directory: Path) -> int:
    return int((directory / "data/postmaster.pid").read_text().splitlines()[0])


async def test_what_was_committed_is_there_after_a_stop(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        await fetch(server.dsn(), "CREATE TABLE kept AS SELECT 42 AS answer")
        assert server.is_running()
    assert not server.is_running()
    with EmbeddedPostgres(tmp_path) as server:
        assert await fetch(server.dsn(), "SELECT answer FROM kept") == 42


async def test_stopping_twice_or_before_the_start_does_nothing(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.stop()
    with server:
        pass
    server.stop()
    assert not server.is_running()


async def test_settings_are_added_to_those_of_a_small_machine(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, {"max_connections": "20"}) as server:
        assert await fetch(server.dsn(), "SHOW max_connections") == "20"
        assert await fetch(server.dsn(), "SHOW shared_buffers") == "32MB"
        assert await fetch(server.dsn(), "SHOW fsync") == "on"


async def test_nobody_gets_in_without_the_password_or_over_the_network(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn(password="guessed"))
        assert await fetch(server.dsn(), "SHOW listen_addresses") == ""
        assert psutil.Process(server_pid(tmp_path)).net_connections("inet") == []
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


async def test_the_server_has_no_rights_of_root(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        assert 0 not in psutil.Process(server_pid(tmp_path)).uids()


async def test_two_servers_run_side_by_side(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "one") as one, EmbeddedPostgres(tmp_path / "two") as two:
        await fetch(one.dsn(), "CREATE TABLE only_in_one (id int)")
        assert await fetch(two.dsn(), "SELECT to_regclass('only_in_one')") is None


async def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        with pytest.raises(PostgresFailed, match=f"{tmp_path} is in use by another Steward"):
            EmbeddedPostgres(tmp_path).start()
        assert await fetch(server.dsn(), "SELECT 1") == 1


async def test_a_folder_whose_path_is_too_long_for_a_socket_works_too(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * SOCKET_PATH_BYTES)
    with EmbeddedPostgres(deep) as server:
        assert await fetch(server.dsn(), "SELECT 1") == 1


def test_the_server_ends_with_an_owner_that_is_killed_and_the_next_start_takes_over(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    dsn = owner.stdout.readline().strip()
    asyncio.run(fetch(dsn, "CREATE TABLE kept AS SELECT 42 AS answer"))
    orphan = psutil.Process(server_pid(tmp_path))
    owner.kill()
    owner.communicate()
    with EmbeddedPostgres(tmp_path) as server:
        orphan.wait(ENDS_WITHIN)
        assert asyncio.run(fetch(server.dsn(), "SELECT answer FROM kept")) == 42


async def test_a_crash_of_the_server_loses_nothing_and_does_not_block_the_next_start(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    await fetch(server.dsn(), "CREATE TABLE kept AS SELECT 42 AS answer")
    crashed = psutil.Process(server_pid(tmp_path))
    crashed.kill()
    crashed.wait(ENDS_WITHIN)
    server.stop()
    pid_file = tmp_path / "data/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with EmbeddedPostgres(tmp_path) as server:
        assert await fetch(server.dsn(), "SELECT answer FROM kept") == 42


def test_a_start_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(tmp_path) as server:
        assert server.is_running()


def test_a_terminals_interrupt_does_not_reach_the_server(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path):
        assert os.getpgid(server_pid(tmp_path)) != os.getpgid(0)


def test_a_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PostgresFailed, match=r"can't be set up in .*/file/below: .*Not a directory"):
        EmbeddedPostgres(tmp_path / "file/below").start()


def test_a_full_disk_is_named_as_the_reason(tmp_path: Path) -> None:
    mounted = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" -c "$3" "$1"'
    start = OWNER.replace("server.start()", "server.start()  # the folder is a disk of 8 MB")
    command = ["unshare", "--mount", "sh", "-c", mounted, "sh", str(tmp_path), sys.executable, start]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "PostgresFailed: PostgreSQL can't be set up" in done.stderr
    assert "No space left on device" in done.stderr


def test_a_wrong_setting_ends_the_start_with_the_servers_words(tmp_path: Path) -> None:
    with pytest.raises(PostgresFailed, match='unrecognized configuration parameter "no_such_setting"'):
        EmbeddedPostgres(tmp_path, {"no_such_setting": "1"}).start()


def test_an_interrupt_of_the_owner_stops_the_server_in_order(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    server = psutil.Process(server_pid(tmp_path))
    owner.send_signal(signal.SIGTERM)
    owner.communicate()
    server.wait(ENDS_WITHIN)
    assert "database system is shut down" in (tmp_path / "postgres.log").read_text()
