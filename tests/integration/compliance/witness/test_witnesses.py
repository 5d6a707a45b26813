"""A log asks its witnesses: each outcome is a value, comes in time, and believes no answer that does not verify."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.responses import RedirectResponse

from services.compliance.checkpoints.cosignature import CosignatureKey, cosign, open_cosigned
from services.compliance.checkpoints.note import build_note, parse_note_unverified
from services.compliance.checkpoints.submission import parse_submission
from services.compliance.checkpoints.witnesses import (
    MAX_ANSWER,
    Cosigned,
    Declined,
    Forked,
    Outcome,
    Shrunk,
    Unreachable,
    Witness,
    Witnesses,
)
from tests.integration.compliance.witness.station import KEY, running, serving, settings
from tests.integration.probes.dicom.peers import Behaviour, listening
from tests.small_log import SmallLog, key_of

LOG, FORGED = SmallLog(), SmallLog(forged_from=3)
NOW = 1_900_000_000


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The HTTP client of a log."""
    async with httpx.AsyncClient() as client:
        yield client


def public(key: object = KEY) -> CosignatureKey:
    """The public key of a witness."""
    found = getattr(key, "verifier", None)
    assert isinstance(found, CosignatureKey)
    return found


async def ask(asked: Witnesses, size: int, log: SmallLog = LOG) -> Sequence[Outcome]:
    """What the witnesses make of a checkpoint."""

    async def prove(old: int) -> list[bytes]:
        return log.consistency(old, size)

    return list((await asked.cosign(asked.witnesses, log.checkpoint(size), log.note(size), prove)).values())


async def test_all_witnesses_cosign(tmp_path: Path, client: httpx.AsyncClient) -> None:
    """Those that know nothing, an older size, the same size: each in one call."""
    south = key_of("south.example/witness", CosignatureKey)
    async with (
        running(settings(tmp_path / "north")) as one,
        running(settings(tmp_path / "south", key=south)) as two,
    ):
        await two.submit(LOG.submission(0, 3))
        asked = Witnesses([one.witness, two.witness], client)
        for size in (5, 5, 8, 21):
            outcomes = await ask(asked, size)
            lines = [outcome.signature for outcome in outcomes if isinstance(outcome, Cosigned)]
            note = build_note(str(LOG.checkpoint(size)), [*parse_note_unverified(LOG.note(size)).signatures, *lines])
            open_cosigned(note, [LOG.keys[0].verifier], [public(), public(south)], quorum=2)


async def test_known_size_is_remembered(client: httpx.AsyncClient) -> None:
    """So that mostly one request is enough."""
    known, requests = 0, []
    app = FastAPI()

    @app.post("/add-checkpoint")
    async def answer(request: Request) -> Response:
        nonlocal known
        submission = parse_submission(await request.body())
        requests.append(submission.old_size)
        if submission.old_size != known:
            return Response(f"{known}\n", 409)
        text = parse_note_unverified(submission.note).text
        known = int(text.split("\n")[1])
        return Response(str(cosign(KEY, text, NOW)))

    async with serving(app) as url:
        asked = Witnesses([Witness(public(), url)], client)
        for size in (5, 8, 13):
            [outcome] = await ask(asked, size)
            assert isinstance(outcome, Cosigned)
        known = 9
        assert isinstance((await ask(asked, 21))[0], Cosigned)
    assert requests == [0, 5, 8, 13, 9]


async def test_fork_is_told(tmp_path: Path, client: httpx.AsyncClient) -> None:
    """The witness knows another history than ours: of the same size, or one that ours does not continue."""
    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 5))
        for size in (5, 8):
            [outcome] = await ask(Witnesses([station.witness], client), size, FORGED)
            assert isinstance(outcome, Forked)


async def test_shrunk_log_is_told(tmp_path: Path, client: httpx.AsyncClient) -> None:
    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 8))
        assert await ask(Witnesses([station.witness], client), 5) == [Shrunk(8)]


async def test_witness_that_does_not_know_us_declines(tmp_path: Path, client: httpx.AsyncClient) -> None:
    unknown, other_key = SmallLog("elsewhere.example/log"), SmallLog(keys=[key_of(LOG.origin, number=1)])
    async with running(settings(tmp_path)) as station:
        for log, status in ((unknown, "404"), (other_key, "403")):
            [outcome] = await ask(Witnesses([station.witness], client), 5, log)
            assert isinstance(outcome, Declined)
            assert status in outcome.reason


def answering(content: bytes, status: int = 200) -> FastAPI:
    """A peer that answers so to everything."""
    app = FastAPI()

    @app.post("/add-checkpoint")
    async def answer() -> Response:
        return Response(content, status)

    return app


OTHER = key_of("north.example/witness", CosignatureKey, number=1)
TEXT = str(LOG.checkpoint(5))
WRONG_ANSWERS = {
    "nothing": (b"", 200, "no signature lines"),
    "no signature": (b"thanks\n", 200, "no signature lines"),
    "no UTF-8": (b"\xff\xfe\n", 200, "no signature lines"),
    "another witness's": (str(cosign(key_of("w", CosignatureKey), TEXT, NOW)).encode(), 200, "no cosignature by"),
    "another key's": (str(cosign(OTHER, TEXT, NOW)).encode(), 200, "no cosignature by"),
    "another checkpoint's": (str(cosign(KEY, str(LOG.checkpoint(6)), NOW)).encode(), 200, "does not verify"),
    "without a time": (str(cosign(KEY, TEXT, 0)).encode(), 200, "does not verify"),
    "a size that is none": (b"many\n", 409, "in place of a size"),
    "an empty size": (b"", 409, "in place of a size"),
    "an endless size": (b"9" * 1000, 409, "in place of a size"),
    "an error": (b"", 500, "answered 500"),
    "too much to do": (b"slow down\n", 429, "slow down"),
    "endless": (b"x" * (MAX_ANSWER + 1), 200, "passes"),
}


@pytest.mark.parametrize("what", WRONG_ANSWERS)
async def test_wrong_answer_is_no_cosignature(client: httpx.AsyncClient, what: str) -> None:
    content, status, told = WRONG_ANSWERS[what]
    async with serving(answering(content, status)) as url:
        [outcome] = await ask(Witnesses([Witness(public(), url)], client), 5)
    assert isinstance(outcome, Unreachable)
    assert told in outcome.reason


async def test_cosignature_among_others_is_found(client: httpx.AsyncClient) -> None:
    lines = "".join(str(cosign(key, TEXT, NOW)) for key in (OTHER, KEY))
    async with serving(answering(lines.encode())) as url:
        [outcome] = await ask(Witnesses([Witness(public(), url)], client), 5)
    assert isinstance(outcome, Cosigned)
    assert outcome.time == NOW


async def test_size_that_always_changes_is_given_up(client: httpx.AsyncClient) -> None:
    sizes = iter(range(1, 5))
    app = FastAPI()

    @app.post("/add-checkpoint")
    async def answer() -> Response:
        return Response(f"{next(sizes)}\n", 409)

    async with serving(app) as url:
        [outcome] = await ask(Witnesses([Witness(public(), url)], client), 5)
    assert isinstance(outcome, Unreachable)
    assert "changed during 3 attempts" in outcome.reason


async def test_redirect_is_not_followed(client: httpx.AsyncClient) -> None:
    app = FastAPI()

    @app.post("/add-checkpoint")
    async def answer() -> Response:
        return RedirectResponse("http://elsewhere.example/")

    async with serving(app) as url:
        [outcome] = await ask(Witnesses([Witness(public(), url)], client), 5)
    assert isinstance(outcome, Unreachable)


async def test_nobody_there_is_unreachable(client: httpx.AsyncClient) -> None:
    async with serving(FastAPI()) as url:
        gone = Witness(public(), url)
    [outcome] = await ask(Witnesses([gone], client), 5)
    assert isinstance(outcome, Unreachable)


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Reads and says nothing."""
    await reader.read()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says one byte now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    never = asyncio.Event()
    while True:
        writer.write(b"x")
        await writer.drain()
        try:
            async with asyncio.timeout(0.02):
                await never.wait()
        except TimeoutError:
            continue


async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Reads a little and closes."""
    await reader.read(10)


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks no HTTP."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


@pytest.mark.parametrize("behave", [hang, drip, hang_up, babble])
async def test_hostile_peer_costs_no_more_than_the_deadline(
    tmp_path: Path, client: httpx.AsyncClient, behave: Behaviour
) -> None:
    """And the others are not held up by it."""
    async with listening(behave) as peer, running(settings(tmp_path)) as station:
        hostile = Witness(public(OTHER), f"http://{peer.host}:{peer.port}")
        began = time.monotonic()
        outcomes = await ask(Witnesses([hostile, station.witness], client, deadline=2), 5)
        assert time.monotonic() - began < 10
    assert isinstance(outcomes[0], Unreachable)
    assert isinstance(outcomes[1], Cosigned)


async def test_failure_to_prove_is_the_callers(tmp_path: Path, client: httpx.AsyncClient) -> None:
    async def prove(_: int) -> list[bytes]:
        raise ConnectionError("the database is away")

    async with running(settings(tmp_path)) as station:
        await station.submit(LOG.submission(0, 3))
        with pytest.raises(ConnectionError):
            await Witnesses([station.witness], client).cosign([station.witness], LOG.checkpoint(5), LOG.note(5), prove)
