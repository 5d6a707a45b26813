"""What every kind promises of any peer: it ends within its time, with the right word, and never raises."""

import asyncio
import os
import socket
import time
from functools import partial
from typing import Any

import pytest
import uvloop

from services.probes.kinds import KINDS
from tests.integration.probes.dicom import peers
from tests.integration.probes.kinds.asked import OVER_TCP, OVER_UDP, Asked, kind_of
from tests.integration.probes.kinds.datagrams import answering_datagrams
from tests.parts.process import refusing_port

SHORT = 0.5
SLACK = 3.0
NETWORK_KINDS = {**OVER_TCP, **OVER_UDP}


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends what no protocol has, without end."""
    while True:
        writer.write(bytes(range(256)) * 64)
        await writer.drain()


async def grow_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers any HTTP request with a body that never ends."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers any request one byte at a time, far too slowly."""
    await reader.read(1)
    for value in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" * 1000:
        writer.write(bytes([value]))
        await writer.drain()
        await next_moment()


async def next_moment() -> None:
    """A twentieth of a second."""
    moment = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.05, moment.set_result, None)
    await moment


async def tasks_left() -> str:
    """How many tasks there are, when those that were cancelled have had their turn."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return str(len(asyncio.all_tasks()))


def always(answer: bytes, _: bytes) -> list[bytes]:
    """The same answer to whatever was asked."""
    return [answer]


def sockets() -> set[str]:
    """The sockets of this process."""
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.islink(link) and os.readlink(link).startswith("socket")}


def test_every_kind_that_asks_a_network_is_asked_here() -> None:
    """DICOM kinds have suites of their own, and command asks no peer."""
    names = {kind.name for kind in KINDS if not kind.name.startswith("dicom-")}
    assert names - {"command"} == set(NETWORK_KINDS)


@pytest.mark.parametrize("kind", OVER_TCP)
async def test_silent_peer_is_left_in_time(kind: str, ask: Asked) -> None:
    """A peer that takes the connection and says nothing is a timeout; no task, no socket of ours is left."""
    async with peers.listening(peers.answering()) as peer:
        before = len(asyncio.all_tasks()), len(sockets())
        began = time.monotonic()
        seen = await ask(kind, OVER_TCP[kind]("127.0.0.1", peer.port), SHORT)
        assert time.monotonic() - began < SHORT + SLACK
        assert (seen.outcome, seen.failure) == ("failed", "timeout_tls" if kind == "tls" else "timeout_answer")
        await asyncio.sleep(0)
        # The peer's own end of the connection is still there.
        assert len(asyncio.all_tasks()) <= before[0] + 1
        assert len(sockets()) <= before[1] + 1


@pytest.mark.parametrize("kind", OVER_UDP)
@pytest.mark.parametrize("answer", [None, b"", b"\x30\x82\xff\xff", b"\xff" * 48, bytes(2000)], ids=repr)
async def test_no_useful_datagram_is_a_timeout(kind: str, answer: bytes | None, ask: Asked) -> None:
    """A datagram that does not answer our question is passed over; anyone can send one."""
    async with answering_datagrams(lambda _: [] if answer is None else [answer]) as port:
        began = time.monotonic()
        seen = await ask(kind, OVER_UDP[kind]("127.0.0.1", port), SHORT)
        assert time.monotonic() - began < SHORT + SLACK
        assert (seen.outcome, seen.failure) == ("failed", "timeout_answer")


@pytest.mark.parametrize("kind", OVER_TCP)
async def test_port_where_nothing_listens_refuses(kind: str, ask: Asked) -> None:
    """Told from a peer that is silent."""
    with refusing_port() as port:
        seen = await ask(kind, OVER_TCP[kind]("127.0.0.1", port))
    assert (seen.outcome, seen.failure) == ("failed", "refused")


@pytest.mark.parametrize("kind", OVER_UDP)
async def test_datagram_port_where_nothing_listens_refuses(kind: str, ask: Asked) -> None:
    """The host says so for UDP too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    seen = await ask(kind, OVER_UDP[kind]("127.0.0.1", port))
    assert (seen.outcome, seen.failure) == ("failed", "refused")


@pytest.mark.parametrize("kind", NETWORK_KINDS)
async def test_unknown_host_is_told(kind: str, ask: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without an address is the target's fault, not a slow network's."""

    def unknown(host: str, port: int, *args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    seen = await ask(kind, NETWORK_KINDS[kind]("no-such-host.invalid", 4711))
    assert (seen.outcome, seen.failure) == ("failed", "dns")
    assert "no-such-host.invalid" in seen.detail


@pytest.mark.parametrize("kind", OVER_TCP)
@pytest.mark.parametrize("behave", [peers.close_at_once, peers.reset, babble, grow_without_end, drip])
async def test_hostile_peer_is_told(kind: str, behave: peers.Behaviour, ask: Asked) -> None:
    """Whatever it does, the run ends in time, as failed, with a word that the kind declares and a sentence."""
    async with peers.listening(behave) as peer:
        began = time.monotonic()
        seen = await ask(kind, OVER_TCP[kind]("127.0.0.1", peer.port), 1)
        assert time.monotonic() - began < 1 + SLACK
    assert seen.outcome == "failed"
    assert seen.failure in kind_of(kind).failures
    assert len(seen.detail) > 10


@pytest.mark.parametrize("kind", OVER_TCP)
async def test_runs_leave_nothing_behind(kind: str, ask: Asked) -> None:
    """After fifty runs against a peer that resets, there are as many sockets and tasks as before."""
    async with peers.listening(peers.reset) as peer:
        settings = OVER_TCP[kind]("127.0.0.1", peer.port)
        await ask(kind, settings)
        before = len(sockets())
        for _ in range(50):
            await ask(kind, settings)
        assert len(sockets()) <= before


@pytest.mark.parametrize("kind", [kind for kind in NETWORK_KINDS if "word" in str(NETWORK_KINDS[kind]("h", 1))])
async def test_secret_that_is_missing_names_its_file(kind: str, ask: Asked) -> None:
    """The fault is ours, and the detail says which file to write."""
    assert ask.here.probe_secrets is not None
    path = f"{ask.here.probe_secrets}/word"
    os.remove(path)
    with refusing_port() as port:
        seen = await ask(kind, NETWORK_KINDS[kind]("127.0.0.1", port))
    assert (seen.outcome, seen.failure) == ("probe_error", "secret")
    assert path in seen.detail


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_settings_explain_themselves(kind: Any) -> None:
    """Each kind's settings have an example that is accepted, refuse unknown fields, and describe every field."""
    if kind.name.startswith("dicom-"):
        return
    schema = kind.settings.model_json_schema()
    for example in schema["examples"]:
        kind.settings.model_validate(example)
        with pytest.raises(ValueError, match="extra"):
            kind.settings.model_validate(example | {"no_such_setting": 1})
    assert [name for name, about in schema["properties"].items() if not about.get("description")] == []
    assert kind.summary.endswith(".")


@pytest.mark.parametrize("kind", NETWORK_KINDS)
def test_settings_hold_no_secret(kind: str) -> None:
    """What looks like a secret is the name of one: a password in its place is refused."""
    properties = kind_of(kind).settings.model_json_schema()["properties"]
    for name in ("password", "token", "community", "auth_key", "priv_key", "client_secret", "client_key"):
        if name in properties:
            with pytest.raises(ValueError, match=name):
                kind_of(kind).settings.model_validate(NETWORK_KINDS[kind]("host", 1) | {name: "Pa$$word 1"})


@pytest.mark.parametrize("kind", NETWORK_KINDS)
def test_promise_holds_on_the_loop_of_services(kind: str, ask: Asked) -> None:
    """A service runs on uvloop: a silent peer, one that resets, and one that sends nonsense end there too."""

    async def over_tcp() -> list[str]:
        seen = []
        for behave in (peers.answering(), peers.reset, babble):
            async with peers.listening(behave) as peer:
                seen.append((await ask(kind, OVER_TCP[kind]("127.0.0.1", peer.port), SHORT)).outcome)
        return [*seen, await tasks_left()]

    async def over_udp() -> list[str]:
        seen = []
        for answer in (b"", b"\x30\x82\xff\xff", b"\xff" * 48):
            async with answering_datagrams(partial(always, answer)) as port:
                seen.append((await ask(kind, OVER_UDP[kind]("127.0.0.1", port), SHORT)).outcome)
        return [*seen, await tasks_left()]

    assert uvloop.run(over_tcp() if kind in OVER_TCP else over_udp()) == ["failed"] * 3 + ["1"]
