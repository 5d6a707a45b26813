"""The same by loops.c, which asks the OpenSSL that Python itself hashes with: a bundle takes one call and not 511.

Each call lets other threads run. Nothing here decides anything: what is sound, and what its hash is, `plain` says too.
"""

import ctypes
from array import array
from collections.abc import Sequence
from ctypes import CDLL, POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p, create_string_buffer, string_at
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from services.compliance.log.hashing.plain import HASH_BYTES, MAX_SITE_BYTES, TIME_BYTES, Opened

LIBRARY = Path(__file__).with_name("loops.so")
SHA256 = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
A_CALL = 1024
"""How many entries are hashed by one call, so that what is copied for it stays in the processor's cache."""


class NotCompiled(Exception):
    """There are no loops that this Python could call; says why."""


class _Sha256(Structure):
    _fields_ = [(name, c_void_p) for name in SHA256]


class Loops:
    """The functions of loops.c. Raises NotCompiled."""

    def __init__(self, library: Path = LIBRARY) -> None:
        try:
            openssl, loops = CDLL(_openssl()), CDLL(str(library))
            self._sha = _Sha256(*(ctypes.cast(getattr(openssl, name), c_void_p) for name in SHA256))
            self._hash_leaves, self._fold, self._read = loops.hash_leaves, loops.fold_hashes, loops.read_bundle
        except (AttributeError, OSError) as exc:
            raise NotCompiled(str(exc)) from exc
        sha = POINTER(_Sha256)
        self._hash_leaves.argtypes = (sha, c_char_p, c_void_p, c_size_t, c_char_p)
        self._hash_leaves.restype = None
        self._fold.argtypes = (sha, c_char_p, c_size_t)
        self._fold.restype = None
        self._read.argtypes = (
            *(sha, c_char_p, c_size_t, c_size_t, c_size_t, c_char_p, c_char_p, c_void_p, c_char_p),
            *(c_void_p, c_char_p, c_void_p),
        )
        self._read.restype = c_int

    def leaf_hashes(self, entries: Sequence[bytes]) -> bytes:
        """The hashes of entries as leaves, side by side."""
        return b"".join([self._some(entries[at : at + A_CALL]) for at in range(0, len(entries), A_CALL)])

    def _some(self, entries: Sequence[bytes]) -> bytes:
        ends = array("Q", accumulate(map(len, entries)))
        hashes = create_string_buffer(len(entries) * HASH_BYTES)
        self._hash_leaves(self._sha, b"".join(entries), ends.buffer_info()[0], len(entries), hashes)
        return hashes.raw

    def fold(self, hashes: bytes) -> bytes:
        """The root over hashes that stand side by side; only the last may be of a smaller subtree than the others."""
        if len(hashes) <= HASH_BYTES:
            return hashes
        there = create_string_buffer(hashes, len(hashes))
        self._fold(self._sha, there, len(hashes) // HASH_BYTES)
        return there.raw[:HASH_BYTES]

    def open_bundle(self, body: bytes, width: int) -> Opened | None:
        """Reads a bundle of ``width`` entries; None unless it has so many, whole and written as they all are."""
        hashes, times = create_string_buffer(width * HASH_BYTES), create_string_buffer(width * TIME_BYTES)
        sites, events = create_string_buffer(width * MAX_SITE_BYTES), create_string_buffer(len(body))
        numbers, ends, filled = array("Q", bytes(8 * width)), array("I", bytes(4 * width)), array("Q", [0, 0])
        is_read = self._read(
            *(self._sha, body, len(body), width, len(sites), hashes, sites, numbers.buffer_info()[0], times),
            *(ends.buffer_info()[0], events, filled.buffer_info()[0]),
        )
        if not is_read:
            return None
        sites_end, events_end = filled
        return Opened(
            hashes=hashes.raw,
            sites=string_at(sites, sites_end),
            numbers=numbers.tolist(),
            times=times.raw,
            ends=ends.tolist(),
            events=string_at(events, events_end),
        )


def _openssl() -> str:
    """The file that Python's hashlib loads OpenSSL by. Raises OSError."""
    spec = find_spec("_hashlib")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("this Python has no OpenSSL")
    return spec.origin
