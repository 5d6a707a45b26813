"""Hashes by hashlib, one after the other: what `compiled` does, wherever there is Python."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

HASH_BYTES = 32
LENGTH_BYTES = 2
MAX_SITE_BYTES = 64
"""Of a site's id with its line feed."""

TIME_BYTES = 27

LINE = re.compile(rb"([^ \n]+) (0|[1-9][0-9]{0,17}) ([^\n]{%d})\n(\{[^\n]*\})" % TIME_BYTES)
"""An entry as they all are. It is only taken apart here: what is sound, verification asks."""


class Opened(NamedTuple):
    """The entries of a bundle in columns: leaf hashes and times side by side, each site and event with a line feed.

    ``ends`` says where each entry ends in the bundle. Each event is a line that begins and ends with a brace. In JSON,
    no string has a line feed, and none stands between ``}`` and ``{`` but where one object ends and the next begins:
    where the lines hold as many objects as there are lines, each line is one.
    """

    hashes: bytes
    sites: bytes
    numbers: Sequence[int]
    times: bytes
    ends: Sequence[int]
    events: bytes


_PAIR = Struct(f"{2 * HASH_BYTES}s")

# A copy of a hash that has begun costs less than a new one that OpenSSL has to find the algorithm for.
_begin_leaf = sha256(b"\x00").copy
_begin_node = sha256(b"\x01").copy


def leaf_hashes(entries: Iterable[bytes]) -> bytes:
    """The hashes of entries as leaves, side by side."""
    hashes = []
    for entry in entries:
        leaf = _begin_leaf()
        leaf.update(entry)
        hashes.append(leaf.digest())
    return b"".join(hashes)


def fold(hashes: bytes) -> bytes:
    """The root over hashes that stand side by side; only the last may be of a smaller subtree than the others."""
    while len(hashes) > HASH_BYTES:
        whole = len(hashes) - len(hashes) % (2 * HASH_BYTES)
        nodes = []
        for (pair,) in _PAIR.iter_unpack(hashes[:whole]):
            node = _begin_node()
            node.update(pair)
            nodes.append(node.digest())
        hashes = b"".join([*nodes, hashes[whole:]])
    return hashes


def open_bundle(body: bytes, width: int) -> Opened | None:
    """Reads a bundle of ``width`` entries; None unless it has so many, whole and written as they all are."""
    entries: list[bytes] = []
    ends: list[int] = []
    at = 0
    while at < len(body):
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(body[at:begin])
        entries.append(body[begin:at])
        ends.append(at)
    lines = [line for line in map(LINE.fullmatch, entries) if line]
    sites = b"".join([line[1] + b"\n" for line in lines])
    if at != len(body) or not len(entries) == len(lines) == width or len(sites) > width * MAX_SITE_BYTES:
        return None
    numbers, times = [int(line[2]) for line in lines], b"".join([line[3] for line in lines])
    return Opened(leaf_hashes(entries), sites, numbers, times, ends, b"".join([line[4] + b"\n" for line in lines]))
