"""Bundles of which most are damaged: lengths that lie, bytes that are lost or strange, widths that are another's."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

from services.compliance.log.hashing import plain
from services.compliance.log.hashing.compiled import Loops

TIME = "2026-03-01T00:00:00.000000Z"


def some(count: int) -> Iterator[tuple[bytes, int]]:
    """Bundles, each with the width that it is read with."""
    random = Random(count)
    for _ in range(count):
        width = random.choice([1, 2, 3, 64, 256])
        body = bytearray(b"".join([_entry(random) for _ in range(width)]))
        for _ in range(random.choice([0, 1, 1, 2])):
            _damage(body, random)
        yield bytes(body), width + random.choice([0, 0, 0, 0, 1, -1])


def _entry(random: Random) -> bytes:
    site = random.choice(["north", "a", "s" * 63, "north", "north"])
    number = random.choice([0, 1, 9, 10, 10**17, 10**18 - 1])
    data = random.randbytes(random.choice([0, 1, 54, 300])).replace(b"\n", b"")
    raw = b"%s\n{%s}" % (f"{site} {number} {TIME}".encode(), data)
    return len(raw).to_bytes(2) + raw


def _damage(body: bytearray, random: Random) -> None:
    at = random.randrange(len(body))
    match random.choice(["flip", "cut", "drop", "insert", "length", "text"]):
        case "flip":
            body[at] ^= 1 << random.randrange(8)
        case "cut":
            del body[at:]
        case "drop":
            del body[at : at + random.randrange(1, 40)]
        case "insert":
            body[at:at] = random.randbytes(random.randrange(1, 40))
        case "length":
            body[:2] = random.choice([b"\0\0", b"\0\1", b"\xff\xff", len(body).to_bytes(3)[1:]])
        case _:
            body[at : at + 1] = random.choice([b"\n", b" ", b"0", b"\0", b"  "])
    body.extend(b"\0" if not body else b"")


def _main(library: str, count: str) -> None:
    """Reads them with a library; says how many."""
    loops, read = Loops(Path(library)), 0
    for body, width in some(int(count)):
        assert loops.open_bundle(body, width) == plain.open_bundle(body, width)
        hashes = plain.leaf_hashes([body])
        assert loops.leaf_hashes([body]) == hashes
        assert loops.fold(hashes * width) == plain.fold(hashes * width)
        read += 1
    sys.stdout.write(f"{read} bundles\n")


if __name__ == "__main__":
    _main(*sys.argv[1:])
