"""`steward up` begins and ends as the README says."""

import signal
import stat
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.walkthrough.one_process import ENDS_WITHIN, Up, steward_up

pytestmark = pytest.mark.timeout(300)

STARTS_AGAIN_WITHIN = 15.0
"""Seconds on the processors, which do not tell of what else the machine is doing; benchmarks/up.py tells the others."""
LARGEST_BYTES = 400 * 1024 * 1024
"""What processes share is counted once."""


def site_names(up: Up) -> list[str]:
    """The ids of the sites that it knows."""
    headers = {"Authorization": f"Bearer {up.told['token']}"}
    answer = httpx.get(f"{up.told['url']}/inventory/v1/sites", headers=headers, timeout=60)
    return [site["id"] for site in answer.raise_for_status().json()["items"]]


def test_ctrl_c_ends_everything_and_a_second_start_finds_it_all(tmp_path: Path) -> None:
    """It takes under 400 MB, leaves no process and no `up.json`, and comes back with what was registered."""
    with steward_up(tmp_path) as up:
        assert up.told["url"] in up.printed
        assert up.told["mailbox"] in up.printed
        assert up.told["token"] in up.printed
        assert stat.S_IMODE(up.up_file.stat().st_mode) == 0o600
        assert site_names(up) == ["north", "south"]
        mailbox_key = up.told["demo"].rpartition("/")[2]
        family = up.family()
        assert len(family) > 3
        assert sum(process.memory_full_info().pss for process in family) < LARGEST_BYTES
        assert up.interrupt() == 0
        assert not up.up_file.exists()
        _, alive = psutil.wait_procs(family, timeout=ENDS_WITHIN)
        assert alive == []
    with steward_up(tmp_path) as up:
        assert up.cpu_seconds() < STARTS_AGAIN_WITHIN
        assert site_names(up) == ["north", "south"]
        assert up.told["demo"].endswith(mailbox_key)


def test_two_run_side_by_side_on_one_machine(tmp_path: Path) -> None:
    """Each has its own ports, data and tokens; one's token opens nothing at the other."""
    with steward_up(tmp_path / "one") as one, steward_up(tmp_path / "two") as two:
        assert one.told["url"] != two.told["url"]
        assert site_names(one) == site_names(two) == ["north", "south"]
        foreign = {"Authorization": f"Bearer {one.told['token']}"}
        assert httpx.get(f"{two.told['url']}/inventory/v1/sites", headers=foreign, timeout=60).status_code == 401


def test_a_steward_that_is_killed_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    """After SIGKILL its children end by themselves, and a new start in the folder works."""
    with steward_up(tmp_path) as up:
        family = up.family()
        up.process.send_signal(signal.SIGKILL)
        up.process.wait(ENDS_WITHIN)
        _, alive = psutil.wait_procs(family[1:], timeout=ENDS_WITHIN)
        assert alive == []
    with steward_up(tmp_path) as up:
        assert site_names(up) == ["north", "south"]
