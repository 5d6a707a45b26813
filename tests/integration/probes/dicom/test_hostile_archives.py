"""Whatever an archive does in the middle of a service, the service ends in time, with the right class, and no leak."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import uvloop
from pydicom.dataset import Dataset

from services.probes.dicom import Context, DicomFailure, Encoded, FailureClass, Limits, UserAgent, associate
from services.probes.dicom.commitment import COMMITMENT_PUSH_MODEL
from tests.integration.probes.dicom import peers
from tests.integration.probes.dicom.peers import (
    Behaviour,
    abort,
    acceptance,
    answering,
    answering_then_closing,
    command_set,
    data_fragment,
    fragment,
    listening,
    pdu,
    repeating,
    response,
    trickling,
)
from tests.integration.probes.dicom.watch import Patience, leaving_nothing

SLACK = 4.0
TIMEOUT = 60.0
SHORT_TIMEOUT = 0.5

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
IMPLICIT = ("1.2.840.10008.1.2",)
LIMITS = Limits(instance_bytes=100_000, identifier_bytes=1_000, matches=50)

SHORT_LIMITS = replace(LIMITS, operation_seconds=SHORT_TIMEOUT)

Use = Callable[[UserAgent], Awaitable[object]]

IDENTIFIER = bytes.fromhex("2000 0D00 04000000 312E3200".replace(" ", ""))
PENDING = fragment(response(0x8020, status=0xFF00, has_data=True))
MATCH = PENDING + data_fragment(IDENTIFIER)
STORE = fragment(
    command_set({0x0002: CT.encode() + b"\0", 0x0100: 1, 0x0110: 7, 0x0700: 0, 0x0800: 1, 0x1000: b"1.2.3\0"})
)
INSTANCE = STORE + data_fragment(bytes(100))
MOVING = fragment(response(0x8021, status=0xFF00, remaining=3, completed=0, failed=0, warnings=0))
COMMITTED = fragment(
    command_set({0x0002: COMMITMENT_PUSH_MODEL.encode(), 0x0100: 0x0100, 0x0110: 9, 0x0800: 1, 0x1002: 1})
)
OTHER_EVENT = fragment(command_set({0x0002: b"1.2.3\0", 0x0100: 0x0100, 0x0110: 9, 0x0800: 1, 0x1002: 1}))


def query() -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = "STUDY"
    return ds


async def finding(assoc: UserAgent) -> None:
    async for _ in assoc.find(FIND, query()):
        pass


async def getting(assoc: UserAgent) -> None:
    async for _ in assoc.get(GET, query()):
        pass


async def moving(assoc: UserAgent) -> None:
    async for _ in assoc.move(MOVE, query(), "ELSEWHERE"):
        pass


async def storing(assoc: UserAgent) -> None:
    await assoc.store(Encoded(CT, "1.2.3", IMPLICIT[0], bytes(50_000_000)))


async def committing(assoc: UserAgent) -> None:
    await assoc.request_commitment([(CT, "1.2.3")])


async def awaiting_commitment(assoc: UserAgent) -> None:
    await assoc.commitment()


USES: dict[str, tuple[Use, list[Context]]] = {
    "find": (finding, [Context(FIND, IMPLICIT)]),
    "get": (getting, [Context(GET, IMPLICIT)]),
    "move": (moving, [Context(MOVE, IMPLICIT)]),
    "store": (storing, [Context(CT, IMPLICIT)]),
    "commit": (committing, [Context(COMMITMENT_PUSH_MODEL, IMPLICIT)]),
    "report": (awaiting_commitment, [Context(COMMITMENT_PUSH_MODEL, IMPLICIT)]),
    "get as SCP": (getting, [Context(GET, IMPLICIT, as_scp=True)]),
}

CASES: dict[str, tuple[str, Behaviour, FailureClass]] = {
    "matches without end": ("find", repeating(b"", MATCH), "limit"),
    "sends an empty match": ("find", answering(acceptance(), b"", PENDING + data_fragment(b"")), "protocol"),
    "promises no match": ("find", answering(acceptance(), b"", fragment(response(0x8020, status=0xFF00))), "protocol"),
    "sends a match that is too long": ("find", repeating(PENDING, data_fragment(bytes(300), is_last=False)), "limit"),
    "sends a match of garbage": (
        "find",
        answering(acceptance(), b"", PENDING + data_fragment(b"\xff" * 40)),
        "protocol",
    ),
    "sends empty fragments": ("find", repeating(PENDING, data_fragment(b"", is_last=False)), "protocol"),
    "sends data before its command": ("find", answering(acceptance(), b"", data_fragment(IDENTIFIER)), "protocol"),
    "sends a second command in place of data": ("find", answering(acceptance(), b"", PENDING + PENDING), "protocol"),
    "sends a command without end": ("find", repeating(b"", fragment(bytes(300), is_last=False)), "protocol"),
    "sends one-byte fragments without end": ("find", repeating(PENDING, data_fragment(b"x", is_last=False)), "limit"),
    "answers another message": ("find", answering(acceptance(), b"", fragment(response(0x8020, 2))), "protocol"),
    "answers another service": ("find", answering(acceptance(), b"", fragment(response(0x8021))), "protocol"),
    "asks something itself": ("find", answering(acceptance(), b"", STORE + data_fragment(b"xx")), "protocol"),
    "lacks a status": (
        "find",
        answering(acceptance(), b"", fragment(command_set({0x0100: 0x8020, 0x0120: 1, 0x0800: 0x0101}))),
        "protocol",
    ),
    "asks for the release": ("find", answering(acceptance(), MATCH, pdu(0x05, bytes(4))), "protocol"),
    "aborts between matches": ("find", answering(acceptance(), b"", MATCH + abort(2, 0)), "aborted"),
    "aborts within a match": ("find", answering(acceptance(), b"", PENDING + abort(0, 0)), "aborted"),
    "closes between matches": ("find", answering_then_closing(acceptance(), b"", MATCH), "closed"),
    "closes within a match": ("find", answering_then_closing(acceptance(), b"", PENDING), "closed"),
    "says half and listens on": ("find", peers.half_close, "closed"),
    "accepts again": ("find", answering(acceptance(), b"", acceptance()), "protocol"),
    "sends a PDU of 4 GiB": ("find", answering(acceptance(), b"", b"\x04\x00\xff\xff\xff\xff"), "protocol"),
    "sends a value longer than its PDU": (
        "find",
        answering(acceptance(), b"", pdu(0x04, b"\x00\x00\xff\xff\x01\x03" + bytes(10))),
        "protocol",
    ),
    "sends a P-DATA-TF of nothing": ("find", answering(acceptance(), b"", pdu(0x04, b"")), "protocol"),
    "sends progress without end": ("move", repeating(b"", MOVING), "limit"),
    "closes while it moves": ("move", answering_then_closing(acceptance(), b"", MOVING), "closed"),
    "stores where it is the SCP": ("get", answering(acceptance(), b"", INSTANCE), "protocol"),
    "sends an instance without end": ("get", repeating(STORE, data_fragment(bytes(9_000), is_last=False)), "limit"),
    "sends an instance that is none": (
        "get",
        answering(acceptance(), b"", fragment(command_set({0x0100: 1, 0x0110: 7, 0x0800: 0x0101}))),
        "protocol",
    ),
    "aborts while it is sent an instance": ("store", answering(acceptance(), abort(2, 0)), "aborted"),
    "closes while it is sent an instance": ("store", answering_then_closing(acceptance(), b""), "closed"),
    "refuses to commit": (
        "commit",
        answering(acceptance(), b"", fragment(response(0x8130, 1, 0x0110))),
        "dimse_status",
    ),
    "reports something else": ("report", answering(acceptance() + OTHER_EVENT + data_fragment(b"xx")), "protocol"),
    "reports garbage": ("report", answering(acceptance() + COMMITTED + data_fragment(b"\xff" * 30)), "protocol"),
    "reports on no transaction": (
        "report",
        answering(acceptance() + COMMITTED + data_fragment(IDENTIFIER)),
        "protocol",
    ),
    "leaves a context unanswered": ("find", answering(acceptance(context_id=3)), "protocol"),
    "refuses the context": ("find", answering(acceptance(context_result=3)), "context_rejected"),
}

SLOW: dict[str, tuple[str, Behaviour, FailureClass]] = {
    "sends one match and falls silent": ("find", answering(acceptance(), b"", MATCH), "timeout_dimse"),
    "sends matches slowly": ("find", trickling(b"", MATCH, SHORT_TIMEOUT / 5), "timeout_dimse"),
    "sends an instance byte by byte": (
        "get",
        trickling(STORE, data_fragment(b"x", is_last=False), SHORT_TIMEOUT / 5),
        "timeout_dimse",
    ),
    "never reads what it is sent": ("store", peers.accept_and_read_nothing, "timeout_dimse"),
    "never answers an instance": ("commit", answering(acceptance()), "timeout_dimse"),
    "never answers at all": ("move", answering(), "timeout_association"),
}

ON_BOTH_LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


async def failure_of(
    case: tuple[str, Behaviour, FailureClass], timeout: float, limits: Limits = LIMITS
) -> DicomFailure:
    """What a use of such a peer ends with, once it is certain that it came in time."""
    use, contexts = USES[case[0]]
    async with listening(case[1]) as peer:
        with Patience() as patience, pytest.raises(DicomFailure) as failed:
            async with associate(peer, contexts, timeout=timeout, limits=limits) as assoc:
                await use(assoc)
        assert patience.seconds < timeout + SLACK
    return failed.value


def told(failure: DicomFailure) -> bool:
    """Whether it says in a sentence what happened, and when."""
    return failure.detail.endswith(".") and failure.phase is not None


@ON_BOTH_LOOPS
@pytest.mark.parametrize("name", CASES)
def test_an_archive_that(name: str, loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """…does what the case's name says is given up as the case says, on both event loops that Steward runs on."""

    async def run() -> DicomFailure:
        async with leaving_nothing():
            return await failure_of(CASES[name], TIMEOUT)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        failure = runner.run(run())
    assert (failure.failure, told(failure)) == (CASES[name][2], True)


@ON_BOTH_LOOPS
def test_an_archive_that_is_too_slow_is_given_up(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def run() -> list[DicomFailure]:
        async with leaving_nothing():
            return await asyncio.gather(*(failure_of(case, SHORT_TIMEOUT, SHORT_LIMITS) for case in SLOW.values()))

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        failures = runner.run(run())
    found = {name: failure.failure for name, failure in zip(SLOW, failures, strict=True)}
    assert found == {name: case[2] for name, case in SLOW.items()}


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_a_retrieval_that_is_cancelled_anywhere_leaves_nothing(steps: int) -> None:
    """…however many turns of the event loop it has had."""
    async with leaving_nothing(), listening(repeating(b"", MATCH)) as peer:

        async def search() -> None:
            async with associate(peer, USES["find"][1], timeout=TIMEOUT) as assoc:
                await finding(assoc)

        task = asyncio.create_task(search())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
