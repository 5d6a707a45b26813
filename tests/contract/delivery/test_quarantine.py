"""Messages that can't be read or applied are kept, with the reason, and the rest goes on."""

import asyncio
import json
from collections.abc import Callable

import pytest

from shared import quarantine
from shared.errors import Conflict
from shared.transactions import begin
from tests.contract.delivery.conftest import SERVICE, Counting, HandlerFailed

Spoil = Callable[[bytes], bytes]


def changed(**members: object) -> Spoil:
    """Replaces members of the envelope."""
    return lambda raw: json.dumps(json.loads(raw) | {"sequence": f"{10**6:020d}"} | members).encode()


def without(member: str) -> Spoil:
    """Leaves a member out."""
    return lambda raw: json.dumps({name: value for name, value in json.loads(raw).items() if name != member}).encode()


SPOILT: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda _: b"", "envelope"),
    "no JSON": (lambda _: b"hello", "envelope"),
    "cut off": (lambda raw: raw[:-20], "envelope"),
    "a list": (lambda _: b"[]", "envelope"),
    "invalid UTF-8": (lambda raw: raw.replace(b"tester", b"\xff\xfe"), "envelope"),
    "no sequence": (without("sequence"), "sequence"),
    "no id": (without("id"), "id"),
    "wrong type for its topic": (changed(type="asset.retired"), "type"),
    "unknown version": (changed(dataschema="urn:steward:test:9"), "dataschema"),
    "wrong schema": (changed(data={"n": "many"}), "data: n"),
    "year 9999": (changed(time="9999-12-31T23:59:59Z"), "time"),
    "no zone in its time": (changed(time="2026-01-01T00:00:00"), "time"),
    "foreign source": (changed(source="https://example.org"), "source"),
    "site with a space": (changed(siteid="north wing"), "siteid"),
    "a megabyte but a little": (changed(padding="x" * 900_000), "bytes"),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_an_unreadable_message_is_quarantined_and_the_rest_goes_on(counting: Counting, name: str) -> None:
    """The reason names the field; what came before and after is applied."""
    spoil, reason = SPOILT[name]
    async with counting.running():
        await counting.record(1)
        await counting.applied(1)
        spoilt = spoil(counting.handled[0].raw)
        await counting.publish(spoilt)
        [held] = await counting.quarantined(1)
        await counting.record(2)
        assert await counting.applied(2) == [1, 2]
    assert reason in held["reason"]
    assert held["raw"] == spoilt


async def test_a_message_whose_handler_keeps_failing_is_quarantined_alone(counting: Counting) -> None:
    """After bounded tries it is set aside; its neighbours in the same batch are applied once."""
    counting.failures[2] = [HandlerFailed("no such thing") for _ in range(50)]
    await counting.record(1, 2, 3)
    async with counting.running():
        [held] = await counting.quarantined(1)
        assert await counting.applied(2) == [1, 3]
    assert "no such thing" in held["reason"]


async def test_a_message_that_fails_holds_up_no_other_partition(counting: Counting) -> None:
    """What one poll gives of several partitions is applied together; if that fails, each goes on by itself."""
    counting.failures[0] = [HandlerFailed("no such thing") for _ in range(50)]
    for n, subject in enumerate("abcdef"):
        await counting.record(n, subject=subject)
    async with counting.running():
        [held] = await counting.quarantined(1)
        assert sorted(await counting.applied(5)) == [1, 2, 3, 4, 5]
    assert b'"n":0' in held["raw"]


async def test_a_handler_that_recovers_within_its_tries_loses_nothing(counting: Counting) -> None:
    """A failure that does not repeat leaves no trace."""
    counting.failures[2] = [HandlerFailed("once")]
    await counting.record(1, 2, 3)
    async with counting.running():
        assert await counting.applied(3) == [1, 2, 3]
        assert await counting.quarantined(0) == []


async def test_a_fault_of_the_network_never_quarantines(counting: Counting) -> None:
    """However often the connection is lost, the message is tried again until it is applied."""
    counting.failures[2] = [ConnectionResetError("gone") for _ in range(6)]
    await counting.record(1, 2, 3)
    async with counting.running():
        assert await counting.applied(3) == [1, 2, 3]
        assert await counting.quarantined(0) == []


async def test_a_consumer_stopped_while_it_tries_again_leaves_the_message_to_its_successor(counting: Counting) -> None:
    """Being told to stop is no fault of the message: it is applied later, not quarantined."""
    counting.failures[1] = [asyncio.CancelledError(), HandlerFailed("first")]
    await counting.record(1)
    async with counting.running("relay"):
        with pytest.raises(asyncio.CancelledError):
            await counting.consumer.run()
    async with counting.running("consumer"):
        assert await counting.applied(1) == [1]
        assert await counting.quarantined(0) == []


async def test_a_quarantined_message_can_be_replayed_once(counting: Counting) -> None:
    """When its cause is mended it is applied by hand; a second replay is refused and changes nothing."""
    counting.failures[1] = [HandlerFailed("broken") for _ in range(50)]
    await counting.record(1, 2)
    async with counting.running():
        [row] = await counting.quarantined(1)
        await counting.applied(1)
        held = await counting.held(row["id"])
        with pytest.raises(Conflict, match="still can't be applied: broken"):
            await counting.consumer.replay(held, "admin")
        assert (await counting.held(held.id)).state == "held"
        counting.failures.clear()
        await counting.consumer.replay(held, "admin")
        with pytest.raises(Conflict):
            await counting.consumer.replay(held, "admin")
        assert await counting.applied(2) == [2, 1]
    decided = await counting.held(held.id)
    assert (decided.state, decided.decided_by) == ("replayed", "admin")


async def test_a_discarded_message_keeps_its_reason(counting: Counting) -> None:
    """Who gave it up, and why, stays; it can't be replayed any more."""
    async with counting.running():
        await counting.publish(b"rubbish")
        [row] = await counting.quarantined(1)
    async with begin(counting.pool, SERVICE, actor="admin") as tx:
        await quarantine.decide(tx, str(row["id"]), "discarded", "sent by a test of the vendor")
    held = await counting.held(row["id"])
    assert (held.state, held.decided_by, held.decision) == ("discarded", "admin", "sent by a test of the vendor")
    with pytest.raises(Conflict):
        await counting.consumer.replay(held, "admin")
