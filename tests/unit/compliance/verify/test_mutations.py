"""Thousands of random changes to the parts of a log: every one is detected, and told to be where it was made.

What is changed: single bits, bytes, entries and hashes are flipped, cut off, taken out, put in, repeated, exchanged;
whole parts are deleted, emptied, exchanged, or come from another log.
"""

from collections.abc import Callable, Iterator
from random import Random

import pytest

from services.compliance.log.hashing import HASH_BYTES
from services.compliance.verify.handlers import Verification, verify
from tests.mutations import COUNT, chosen_seed
from tests.unit.compliance.verify.grown import TRUST, Memory, files_of, grown

SHARES = 4
LOG = files_of(grown(10).entries)
OTHER_LOG = files_of(grown(10, seed=2).entries)
SIZE = int(LOG["checkpoint"].split(b"\n")[1])

Place = tuple[int, int]
ANYWHERE = (0, 2**63)
"""A checkpoint that was changed may speak of any size."""

Change = tuple[bytes | None, Place]
"""What a part becomes, and the entries that this touches."""


def split(body: bytes, name: str) -> list[bytes]:
    """The hashes of a tile, or the entries of a bundle with their lengths."""
    if not name.startswith("tile/entries/"):
        return [body[at : at + HASH_BYTES] for at in range(0, len(body), HASH_BYTES)]
    parts, at = [], 0
    while at < len(body):
        end = at + 2 + int.from_bytes(body[at : at + 2])
        parts.append(body[at:end])
        at = end
    return parts


def place_of(name: str, number: int | None = None) -> Place:
    """The entries that a part covers, or those from its ``number``th item on."""
    if name == "checkpoint":
        return ANYWHERE
    kind, rest = name.removeprefix("tile/").split("/", 1)
    span = 256 if kind == "1" else 1
    width = len(split(LOG[name], name))
    first = int(rest.partition(".p/")[0]) * 256
    return (first + (number or 0)) * span, min((first + width) * span, SIZE)


def place_of_item(name: str, number: int) -> Place:
    """The entry that an item of a part is or, above the leaves, those that it covers."""
    first, end = place_of(name, number)
    return (first, end) if name == "checkpoint" else (first, first + (256 if name.startswith("tile/1") else 1))


def item_of(name: str, offset: int) -> int:
    """Which item of a part a byte belongs to."""
    at = 0
    for number, part in enumerate(split(LOG[name], name)):
        at += len(part)
        if offset < at:
            return number
    raise ValueError(offset)


def flip(random: Random, name: str) -> Change:
    """One bit is another."""
    body = bytearray(LOG[name])
    offset = random.randrange(len(body))
    body[offset] ^= 1 << random.randrange(8)
    return bytes(body), place_of_item(name, item_of(name, offset))


def truncate(random: Random, name: str) -> Change:
    """The end is missing."""
    kept = random.choice([0, random.randrange(len(LOG[name]))])
    return LOG[name][:kept], place_of(name)


def extend(random: Random, name: str) -> Change:
    """There is more: an entry or a hash of this part, or bytes."""
    more = random.choice([random.choice(split(LOG[name], name)), random.randbytes(random.randint(1, 40))])
    return LOG[name] + more, place_of(name)


def take_out(random: Random, name: str) -> Change:
    """An item is missing."""
    items = split(LOG[name], name)
    number = random.randrange(len(items))
    return b"".join(items[:number] + items[number + 1 :]), place_of(name)


def put_in(random: Random, name: str) -> Change:
    """An item stands once more, somewhere."""
    items = split(LOG[name], name)
    items.insert(random.randrange(len(items)), random.choice(items))
    return b"".join(items), place_of(name)


def exchange(random: Random, name: str) -> Change:
    """Two items have changed places."""
    items = split(LOG[name], name)
    one, other = sorted((random.randrange(len(items)), random.randrange(len(items))))
    items[one], items[other] = items[other], items[one]
    return b"".join(items), place_of_item(name, one)


def delete(random: Random, name: str) -> Change:
    """The part is gone."""
    return None, place_of(name)


def replace(random: Random, name: str) -> Change:
    """The part is that of another log, or another part."""
    return random.choice([OTHER_LOG.get(name, b"?"), random.choice(list(LOG.values()))]), place_of(name)


CHANGES: tuple[Callable[[Random, str], Change], ...] = (
    flip,
    flip,
    flip,
    truncate,
    extend,
    take_out,
    put_in,
    exchange,
    delete,
    replace,
)


def mutations(seed: int, count: int) -> Iterator[tuple[str, Callable[[Random, str], Change], bytes | None, Place]]:
    """Changes that do change something."""
    random = Random(seed)
    while count:
        name, change = random.choice(list(LOG)), random.choice(CHANGES)
        body, place = change(random, name)
        if body != LOG[name]:
            yield name, change, body, place
            count -= 1


@pytest.mark.parametrize("share", range(SHARES))
def test_every_change_to_a_part_is_detected_and_located(share: int) -> None:
    """The entry that the verifier names is one that the change touched."""
    seed = chosen_seed(share)
    for name, change, body, (first, end) in mutations(seed, COUNT // SHARES):
        files = {**LOG, name: body} if body is not None else {n: b for n, b in LOG.items() if n != name}
        fault = verify(Verification(Memory({n: b for n, b in files.items() if b is not None}), TRUST))[0].fault
        told = f"{change.__name__} of {name}, seed {seed}: {fault}"
        assert fault is not None, told
        assert first <= fault.first <= max(end - 1, first), told
