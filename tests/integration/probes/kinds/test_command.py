"""command against Debian's monitoring plugins, and against programs that hang, fork, print without end."""

import asyncio
import os
import select
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.probes.kinds.asked import Asked


@pytest.fixture
def programs(ask: Asked, tmp_path: Path) -> Asked:
    """Kinds with a folder of programs of their own."""
    (tmp_path / "programs").mkdir()
    return replace(ask, here=replace(ask.here, probe_commands=str(tmp_path / "programs")))


def lay(asked: Asked, name: str, script: str) -> None:
    """A program in the folder."""
    path = Path(str(asked.here.probe_commands)) / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("status", "outcome", "failure"),
    [
        ("0", "ok", None),
        ("1", "degraded", "command_warning"),
        ("2", "failed", "command_critical"),
        ("3", "probe_error", "command_unknown"),
    ],
)
async def test_exit_status_of_a_plugin_is_the_outcome(
    status: str, outcome: str, failure: str | None, ask: Asked
) -> None:
    """As Nagios has them."""
    seen = await ask("command", {"program": "check_dummy", "arguments": [status, "the reactor is warm"]})
    assert (seen.outcome, seen.failure) == (outcome, failure)
    assert "the reactor is warm" in seen.detail


async def test_numbers_of_a_plugin_are_measures(ask: Asked) -> None:
    """check_load tells the load of the last minutes."""
    limits = ["-w", "1000,1000,1000", "-c", "2000,2000,2000"]
    seen = await ask("command", {"program": "check_load", "arguments": limits})
    assert seen.outcome == "ok", seen
    assert {"load1", "load5", "load15"} <= seen.measures.keys()


@pytest.mark.parametrize("program", ["check_nothing", "sub/check", "outside", "no_program"])
async def test_only_programs_of_the_folder_are_run(program: str, programs: Asked) -> None:
    """Neither what is missing, nor what a link leads to outside of it, nor what can't be run."""
    folder = Path(str(programs.here.probe_commands))
    (folder / "outside").symlink_to("/bin/true")
    (folder / "no_program").write_text("text")
    seen = await programs("command", {"program": program})
    assert (seen.outcome, seen.failure) == ("probe_error", "command")


@pytest.mark.parametrize("program", ["../check", "/bin/true", "a/../../b", "", ".hidden", "a b", "check;id"])
def test_names_that_lead_elsewhere_are_refused(program: str, ask: Asked) -> None:
    """Before anything is run."""
    with pytest.raises(ValueError, match="program"):
        type(ask.kind("command")).settings.model_validate({"program": program})


async def test_without_a_folder_nothing_is_run(ask: Asked) -> None:
    """The administrator of the machine decides."""
    nowhere = replace(ask, here=replace(ask.here, probe_commands=None))
    seen = await nowhere("command", {"program": "check_dummy"})
    assert (seen.outcome, seen.failure) == ("probe_error", "command")
    assert "STEWARD_PROBE_COMMANDS" in seen.detail


async def test_arguments_are_given_as_they_are(programs: Asked) -> None:
    """No shell reads them, and the environment of the service is not shown."""
    lay(programs, "echo", 'echo "$# [$1] [$STEWARD_DATABASE] [$HOME]"')
    os.environ["STEWARD_DATABASE"] = "postgresql://"
    try:
        seen = await programs("command", {"program": "echo", "arguments": ["$(id); `id` | cat > /x"]})
    finally:
        del os.environ["STEWARD_DATABASE"]
    assert seen.detail == "1 [$(id); `id`"
    assert seen.outcome == "ok"


async def test_secret_comes_by_the_environment_and_is_never_told(programs: Asked) -> None:
    """Not even by a plugin that prints it."""
    lay(programs, "leak", 'echo "the password is $PASSWORD"; test "$PASSWORD" = "open sesame"')
    seen = await programs("command", {"program": "leak", "secrets": {"PASSWORD": "word"}})
    assert seen.outcome == "ok", seen
    assert seen.detail == "the password is •••"


async def test_program_that_hangs_is_killed_with_all_that_it_started(programs: Asked, tmp_path: Path) -> None:
    """At the timeout, also what it has left in the background."""
    lay(programs, "hang", f"sleep 600 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; wait")
    began = time.monotonic()
    seen = await programs("command", {"program": "hang"}, 1)
    assert time.monotonic() - began < 4
    assert (seen.outcome, seen.failure) == ("failed", "timeout_answer")
    for name in ("child", "self"):
        assert not is_running(int((tmp_path / name).read_text()))


async def test_what_a_program_leaves_behind_ends_with_it(programs: Asked, tmp_path: Path) -> None:
    """A background process that lets go of the output is killed as soon as the program ends."""
    lay(programs, "leave", f"sleep 600 >/dev/null 2>&1 & echo $! > {tmp_path}/child; echo done")
    seen = await programs("command", {"program": "leave"})
    assert (seen.outcome, seen.detail) == ("ok", "done")
    assert not is_running(int((tmp_path / "child").read_text()))


async def test_program_that_prints_without_end_is_killed(programs: Asked) -> None:
    """Its output is bounded, on either stream."""
    for name, script in (("out", "yes"), ("err", "yes >&2")):
        lay(programs, name, script)
        seen = await programs("command", {"program": name})
        assert (seen.outcome, seen.failure) == ("probe_error", "too_large")


async def test_program_that_is_killed_or_broken_is_our_fault(programs: Asked) -> None:
    """It says nothing about the target."""
    for name, script in (("killed", "kill -9 $$"), ("strange", "exit 77"), ("complaint", "echo broken >&2; exit 127")):
        lay(programs, name, script)
        seen = await programs("command", {"program": name})
        assert (seen.outcome, seen.failure) == ("probe_error", "command_unknown")
    assert "broken" in seen.detail


async def test_runs_leave_no_pipe_and_no_child(programs: Asked) -> None:
    """After twenty runs there are as many descriptors as before."""
    lay(programs, "hang", "sleep 600")
    await programs("command", {"program": "hang"}, 0.2)
    before = len(os.listdir("/proc/self/fd"))
    await asyncio.gather(*(programs("command", {"program": "hang"}, 0.2) for _ in range(20)))
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= before


def is_running(pid: int) -> bool:
    """Whether that process goes on; one that was killed is given time to end."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([handle], [], [], 5)[0]
    finally:
        os.close(handle)
