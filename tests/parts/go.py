"""Go's own code for transparency logs, golang.org/x/mod/sumdb/tlog and note, behind the program ``tlog-check``.

Requests are made by the functions named after what is asked, and answered together by `ask`.
"""

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.parts.process import PartFailed, PartMissing
from tests.source import ROOT

PROGRAM = ROOT / ".parts/bin/tlog-check"
Request = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What Go says. ``error`` is empty where it accepts; the rest is filled as far as the request asks for it."""

    error: str
    root: bytes
    roots: list[bytes]
    inclusions: list[list[bytes]]
    histories: list[list[bytes]]
    text: str
    names: list[str]
    key: str
    secret: str


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> Request:
    """Is this leaf in the tree?"""
    return _request("check inclusion", index=index, size=size, leaf=_hash(leaf), root=_hash(root), proof=_hashes(proof))


def check_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> Request:
    """Does the tree begin with the old one?"""
    hashes = {"old_root": _hash(old_root), "root": _hash(root), "proof": _hashes(proof)}
    return _request("check consistency", old=old, size=size, **hashes)


def read_folder(folder: Path, size: int, root: bytes, indices: Iterable[int], olds: Iterable[int]) -> Request:
    """Proves indices (``inclusions``) and old sizes (``roots``, ``histories``) from tiles, each checked by the root."""
    asked = {"indices": list(indices), "olds": list(olds)}
    return _request("read folder", folder=str(folder), size=size, root=_hash(root), **asked)


def build_tree(entries: Iterable[bytes], indices: Iterable[int], olds: Iterable[int]) -> Request:
    """The same proofs in the tree over some entries."""
    encoded = [_hash(entry) for entry in entries]
    return _request("build tree", entries=encoded, indices=list(indices), olds=list(olds))


def open_note(raw: bytes, keys: Iterable[str]) -> Request:
    """Is the note signed by all those of its signers whose keys are known? ``text``, and the signers' ``names``."""
    return _request("open note", text=raw.decode(), keys=list(keys))


def sign_note(text: str, names: Iterable[str]) -> Request:
    """The note of the text (``text``), signed by a new key of each name; the last one's ``key`` and ``secret``."""
    return _request("sign note", text=text, keys=list(names))


def ask(*requests: Request) -> list[Answer]:
    """The answers. Raises PartMissing, PartFailed."""
    if not PROGRAM.exists():
        raise PartMissing("tlog-check is not here: make .parts/bin/fsck")
    done = subprocess.run([PROGRAM], input=json.dumps(requests).encode(), capture_output=True, check=False)
    if done.returncode:
        raise PartFailed(f"tlog-check: {done.stderr.decode(errors='replace')}")
    return [_answer(found) for found in json.loads(done.stdout)]


def _request(do: str, **members: Any) -> Request:
    return {"do": do, **members}


def _answer(found: dict[str, Any]) -> Answer:
    return Answer(
        error=found["error"],
        root=b64decode(found["root"]),
        roots=_raws(found["roots"]),
        inclusions=[_raws(proof) for proof in found["inclusions"] or []],
        histories=[_raws(proof) for proof in found["histories"] or []],
        text=found["text"],
        names=found["names"] or [],
        key=found["key"],
        secret=found["secret"],
    )


def _hash(raw: bytes) -> str:
    return b64encode(raw).decode()


def _hashes(raws: Iterable[bytes]) -> list[str]:
    return [_hash(raw) for raw in raws]


def _raws(hashes: list[str] | None) -> list[bytes]:
    return [b64decode(text) for text in hashes or []]
