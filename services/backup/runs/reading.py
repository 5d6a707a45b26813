"""Reads what restic prints. What can't be read is an error here, and a failed backup for everybody else."""

import re
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

LONGEST_QUOTE = 300
INCOMPLETE = 3
INTERRUPTED = 130

M = TypeVar("M")


class NotUnderstood(Exception):
    """Output that is not what restic promises."""


class Summary(BaseModel):
    """The last line of ``restic backup --json``; ``data_added`` is counted before compression."""

    data_added: int
    total_files_processed: int
    total_bytes_processed: int
    snapshot_id: str


class Stored(BaseModel):
    """An element of ``restic snapshots --json``."""

    id: str
    paths: list[str]


class Stats(BaseModel):
    """``restic stats --json --mode restore-size``: each inode's bytes once, and nodes of every kind."""

    total_size: int
    total_file_count: int


class Config(BaseModel):
    """``restic cat config``: what the repository says of itself once its key is open."""

    id: str
    version: int


SUMMARY = TypeAdapter(Summary)
SNAPSHOTS = TypeAdapter(list[Stored] | None)
STATS = TypeAdapter(Stats)
CONFIG = TypeAdapter(Config)


def parse(adapter: TypeAdapter[M], text: str | bytes, what: str) -> M:
    """The value in restic's JSON. Raises NotUnderstood."""
    try:
        return adapter.validate_json(text)
    except ValidationError as exc:
        raise NotUnderstood(f"{what} can't be understood: {exc.errors()[0]['msg']}") from exc


def parse_summary(lines: Iterable[bytes]) -> Summary:
    """The summary among the lines of a backup's output. Raises NotUnderstood."""
    found = [line for line in lines if b'"message_type":"summary"' in line]
    if len(found) != 1:
        raise NotUnderstood(f"restic ended well but printed {len(found)} summaries")
    return parse(SUMMARY, found[0], "restic's summary")


def parse_version(text: str) -> str:
    """The version in ``restic version``. Raises NotUnderstood."""
    match = re.match(r"restic (\d+\.\d+\S*)", text)
    if match is None:
        raise NotUnderstood("restic version prints no version")
    return match[1]


def explain(command: str, exit_code: int, stderr: str) -> str:
    """Why a command failed, for a person: what to do where we know it, and restic's own words."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if line.startswith("Fatal:")), lines[-1] if lines else "")
    said = said.removeprefix("Fatal: ")[:LONGEST_QUOTE]
    if "wrong password" in stderr:
        return "the repository does not open with STEWARD_BACKUP_PASSWORD (wrong password)"
    if "no space left on device" in stderr:
        return f"the disk of the repository or of the work folder is full: {said}"
    if "already locked" in stderr:
        return f"another process holds the repository: {said}"
    if command == "backup" and exit_code == INCOMPLETE:
        return f"the snapshot is incomplete, some files could not be read: {_first_unread(lines)}"
    return f"restic {command} ended with exit code {exit_code}: {said or 'it said nothing'}"


class _Unread(BaseModel):
    item: str


def _first_unread(lines: Iterable[str]) -> str:
    for line in lines:
        try:
            return _Unread.model_validate_json(line).item[:LONGEST_QUOTE]
        except ValidationError:
            continue
    return "restic does not say which"
