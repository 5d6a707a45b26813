"""Entries that are checked many at a time: nothing passes that would not pass by itself."""

from random import Random

import pytest

from services.compliance.verify.domain import Fault, Faulty
from services.compliance.verify.entries import Glance, Order, check_entries, read_glance
from tests.unit.compliance.verify.grown import grown

LOGS = (
    grown(10).entries,
    grown(3, most=300, every=3).entries,
    grown(200, most=3, every=200).entries,
)
"""With manifests, with hundreds of entries of one time, and with nearly as many times as entries."""


def seen_of(entries: list[bytes], together: int) -> Order | Fault:
    """What checking entries, so many at a time, has seen, or the fault that ended it."""
    order = Order()
    try:
        for first in range(0, len(entries), together):
            check_entries(entries[first : first + together], first, order, read_glance, [])
    except Faulty as exc:
        return exc.fault
    return order


def damaged(random: Random, entries: list[bytes]) -> list[bytes]:
    """One entry is another, or elsewhere, or gone."""
    damaged = list(entries)
    at, other = random.randrange(len(entries)), random.randrange(len(entries))
    header, _, event = entries[at].partition(b"\n")
    body = bytearray(entries[at])
    body[random.randrange(len(header) + 1 if random.random() < 0.7 else len(body))] ^= 1 << random.randrange(8)
    later = header.replace(b"2026-03-01", random.choice([b"2026-02-28", b"2026-02-30", b"2027-03-01"]))
    damaged[at] = random.choice(
        [
            bytes(body),
            entries[other],
            b"%s\n%s" % (header[:-1] + b"+", event),
            b"%s\n%s" % (header.replace(b" ", b" 0", 1), event),
            b"%s\n%s" % (later, event),
            b"%s\n%s" % (header, event.replace(b'"siteid":"north"', b'"siteid":"south"')),
            b"%s\n%s" % (header, event.replace(b'"siteid":"north"', b'"siteid":"no\\nrth"')),
            b"%s\n%s" % (header, event.replace(b'"type":"site.changed"', b'"type":"log.pruned"')),
            header,
        ]
    )
    if random.random() < 0.2:
        damaged.insert(other, damaged.pop(at))
    return damaged


@pytest.mark.parametrize("number", range(len(LOGS)))
def test_entries_are_checked_together_as_they_are_one_by_one(number: int) -> None:
    """The same fault in the same words, or the same order of entries."""
    entries = LOGS[number]
    assert seen_of(entries, 256) == seen_of(entries, 1)
    random = Random(number)
    for _ in range(200):
        changed = damaged(random, entries)
        assert seen_of(changed, 256) == seen_of(changed, 1)


def test_what_comes_before_the_fault_is_told() -> None:
    """The events of the entries before it are there, whatever is wrong with it."""
    entries = [*LOGS[1][:200], b"no entry", *LOGS[1][200:256]]
    events: list[Glance] = []
    with pytest.raises(Faulty, match="line feed"):
        check_entries(entries, 0, Order(), read_glance, events)
    assert len(events) == 200
