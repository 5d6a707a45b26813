"""What restic prints, as it prints it, and how a failure reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.backup.runs.reading import (
    SNAPSHOTS,
    STATS,
    NotUnderstood,
    explain,
    parse,
    parse_summary,
    parse_version,
)

STATUS = b'{"message_type":"status","percent_done":0,"total_files":1,"total_bytes":100000}\n'
SUMMARY = (
    b'{"message_type":"summary","files_new":2,"files_changed":0,"files_unmodified":0,"dirs_new":2,"dirs_changed":0,'
    b'"dirs_unmodified":0,"data_blobs":2,"tree_blobs":3,"data_added":101963,"total_files_processed":2,'
    b'"total_bytes_processed":100003,"total_duration":0.209964117,"snapshot_id":"e55dfb5a"}\n'
)


def test_summary_is_found_among_the_lines_of_status() -> None:
    """restic 0.14 prints one summary, after any number of status lines."""
    summary = parse_summary([STATUS, STATUS, SUMMARY])
    assert (summary.data_added, summary.total_files_processed, summary.snapshot_id) == (101963, 2, "e55dfb5a")


@pytest.mark.parametrize(
    "lines", [[], [STATUS], [SUMMARY, SUMMARY], [SUMMARY[:-40]], [SUMMARY.replace(b"2,", b'"x",')]]
)
def test_output_without_exactly_one_whole_summary_is_not_understood(lines: list[bytes]) -> None:
    """No summary, two of them, a cut one, one with words for numbers."""
    with pytest.raises(NotUnderstood):
        parse_summary(lines)


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_are_understood_or_refused(lines: list[bytes]) -> None:
    """Nothing that restic could print makes another error than NotUnderstood."""
    for read in (lambda: parse_summary(lines), lambda: parse(STATS, b"".join(lines), "stats")):
        with pytest.raises(NotUnderstood):
            read()


def test_no_snapshots_may_be_null() -> None:
    """restic prints ``null`` for an empty list."""
    assert parse(SNAPSHOTS, "null\n", "snapshots") is None
    assert parse(SNAPSHOTS, "[]", "snapshots") == []


def test_version_is_read_or_refused() -> None:
    """The version is the second word."""
    assert parse_version("restic 0.14.0 compiled with go1.19.8 on linux/amd64\n") == "0.14.0"
    with pytest.raises(NotUnderstood):
        parse_version("rustic 0.14.0")


UNREAD = (
    '{"message_type":"error","error":{"Op":"open","Path":"b","Err":13},"during":"archival","item":"/srv/b"}\n'
    "Warning: at least one source file could not be read\n"
)


@pytest.mark.parametrize(
    ("command", "exit_code", "stderr", "reason"),
    [
        ("unlock", 1, "Fatal: wrong password or no key found\n", "STEWARD_BACKUP_PASSWORD"),
        ("backup", 1, "Fatal: unable to save snapshot: write x: no space left on device\n", "is full: unable to save"),
        ("backup", 1, "unable to create lock: repository is already locked by PID 7\n", "another process holds"),
        ("backup", 3, UNREAD, "incomplete, some files could not be read: /srv/b"),
        ("backup", 3, "", "restic does not say which"),
        ("stats", 3, "", "restic stats ended with exit code 3: it said nothing"),
        ("init", 1, "warning\nFatal: create repository failed\ntrailer\n", "exit code 1: create repository failed"),
        ("init", 2, "first\nlast\n\n", "exit code 2: last"),
    ],
)
def test_failure_reads_as_what_to_do_with_restics_own_words(
    command: str, exit_code: int, stderr: str, reason: str
) -> None:
    """A reason is for a person."""
    assert reason in explain(command, exit_code, stderr)


def test_reason_stays_short_however_much_restic_says() -> None:
    """A reason goes into an event and a mail."""
    assert len(explain("backup", 1, "Fatal: " + "x" * 100_000)) < 400
