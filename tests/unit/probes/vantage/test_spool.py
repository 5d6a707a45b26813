"""The spool keeps what it was given, in its order, over crashes and full disks."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from services.probes.vantage.spool import FILE, Kept, Spool

ADD_FOR_EVER = """
import sys
from pathlib import Path
from services.probes.vantage.spool import Kept, Spool

spool = Spool(Path(sys.argv[1]), 1_000_000)
number = 0
while True:
    spool.add([Kept(str(number).encode()), Kept(str(number + 1).encode())])
    number += 2
    print(number, flush=True)
"""


def numbers(spool: Spool, limit: int = 1_000_000) -> list[int]:
    """What waits."""
    return [int(body) for _, body in spool.oldest(limit, 1_000_000_000)]


def test_results_come_in_their_order_until_they_are_removed(tmp_path: Path) -> None:
    """Those that were removed don't come again; those that were not, do, also after a restart."""
    spool = Spool(tmp_path, 1000)
    spool.add([Kept(b"1"), Kept(b"2"), Kept(b"3")])
    spool.add([Kept(b"4")])
    [(first, _), (second, _)] = spool.oldest(2, 1_000_000)
    spool.remove(second)
    assert (first < second, spool.waiting, numbers(spool)) == (True, 2, [3, 4])
    spool.close()
    again = Spool(tmp_path, 1000)
    assert (numbers(again), again.lost, again.work) == ([3, 4], 0, None)
    again.close()


def test_beyond_its_limit_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    """An agent that is cut off for weeks must not fill the disk, and must not hide what it dropped."""
    spool = Spool(tmp_path, 5)
    for number in range(12):
        spool.add([Kept(str(number).encode())])
    spool.count_lost(2)
    assert (numbers(spool), spool.lost, spool.waiting) == ([7, 8, 9, 10, 11], 9, 5)
    spool.close()


def test_the_work_is_remembered(tmp_path: Path) -> None:
    """The last that was given."""
    spool = Spool(tmp_path, 5)
    spool.keep_work(b"one")
    spool.keep_work(b"two")
    spool.close()
    again = Spool(tmp_path, 5)
    assert again.work == b"two"
    again.close()


def test_what_add_returned_from_survives_a_kill(tmp_path: Path) -> None:
    """All of it, whole and in order, and of the last one either all or nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", ADD_FOR_EVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as adding:
        assert adding.stdout is not None
        told = [int(adding.stdout.readline()) for _ in range(30)]
        adding.send_signal(signal.SIGKILL)
        told += [int(line) for line in adding.stdout]
    spool = Spool(tmp_path, 1_000_000)
    kept = numbers(spool)
    spool.close()
    assert kept == list(range(len(kept)))
    assert len(kept) >= told[-1]
    assert len(kept) % 2 == 0


@pytest.mark.parametrize("spoil", [b"", b"no database at all" * 100])
def test_a_file_that_cant_be_read_is_put_aside(tmp_path: Path, spoil: bytes) -> None:
    """The agent works on with a new one, and whoever looks later finds the old."""
    spool = Spool(tmp_path, 10)
    spool.add([Kept(b"1")])
    spool.close()
    (tmp_path / FILE).write_bytes(spoil)
    again = Spool(tmp_path, 10)
    again.add([Kept(b"2")])
    assert numbers(again) == [2]
    again.close()
    aside = list(tmp_path.glob(f"{FILE}.damaged-*"))
    assert [path.read_bytes() for path in aside] == ([spoil] if spoil else [])


def test_a_full_disk_is_told_and_nothing_is_half_written(tmp_path: Path) -> None:
    """What was there stays; once there is room again, the same results are taken."""
    spool = Spool(tmp_path, 1_000_000)
    spool.add([Kept(b"1")])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(tmp_path / FILE) + 50_000, before[1]))
    try:
        with pytest.raises(sqlite3.OperationalError):
            spool.add([Kept(b"2" * 1_000_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    assert numbers(spool) == [1]
    spool.add([Kept(b"2")])
    assert numbers(spool) == [1, 2]
    spool.close()


def test_no_more_is_brought_than_there_is_room_for_but_one_result_at_least(tmp_path: Path) -> None:
    """By count and by bytes, from the oldest on."""
    spool = Spool(tmp_path, 1000)
    spool.add([Kept(b"1" * 900), Kept(b"2" * 40), Kept(b"3" * 40), Kept(b"4" * 40)])
    assert [body[:1] for _, body in spool.oldest(4, 980)] == [b"1", b"2", b"3"]
    assert [body[:1] for _, body in spool.oldest(2, 980)] == [b"1", b"2"]
    assert [body[:1] for _, body in spool.oldest(4, 10)] == [b"1"]
    spool.close()
