"""However much a peer answers, and in whatever form, it holds up no other probe of the process."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from services.probes.kinds.asking import Asking
from services.probes.kinds.prometheus import LARGEST_ANSWER
from tests.integration.probes.dicom.peers import Behaviour
from tests.integration.probes.dicom.test_many_hostile_peers import MOST_MILLISECONDS, elsewhere, least_longest_turns
from tests.integration.probes.kinds.asked import Asked

ROWS = [{"metric": {"disk": str(number)}, "value": [1, "2"]} for number in range(100_000)]


def page(body: bytes, head: bytes = b"") -> Behaviour:
    """A server that answers a request with that, and then no more."""
    head = head or f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + body)
        await writer.drain()
        await reader.read()

    return behave


def url(path: str) -> str:
    """An address that is filled in when the port is known."""
    return f"http://127.0.0.1:PORT{path}"


METRIC = {"url": url("/metrics"), "metric": "up"}
LOGIN = {"url": url("/"), "username": "ann", "password": "word"}
PEERS: Mapping[str, tuple[str, dict[str, Any], Behaviour]] = {
    "a page full of series": ("prometheus", METRIC, page(b'up{a="b"} 1\n' * (LARGEST_ANSWER // 13 - 1))),
    "a page without them": ("prometheus", METRIC, page(b"down 1\n" * (LARGEST_ANSWER // 7 - 1))),
    "one line without end": ("prometheus", METRIC, page(b'up{a="' + b"x" * (LARGEST_ANSWER - 100))),
    "a large answer to an expression": (
        "prometheus",
        {"url": url(""), "expression": "up"},
        page(json.dumps({"data": {"resultType": "vector", "result": ROWS}}).encode()),
    ),
    "a large search": ("dicomweb", {"url": url("/dicom-web")}, page(b"[" + b"[]," * 1_000_000 + b"1]")),
    "a page of tags": ("web-login", LOGIN, page(b"<p class=a>" * 300_000)),
    "a tag without an end": ("web-login", LOGIN, page(b"<form a=" + b"x" * 3_000_000)),
    "a body in tiny pieces": (
        "http",
        {"url": url("/")},
        page(b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ),
}


LARGEST = {"a page full of series", "a page without them", "one line without end"}


@pytest.mark.parametrize("name", PEERS)
def test_none_moves_the_timing_of_others_by_more_than_a_few_ms(name: str, ask: Asked) -> None:
    """In all the turns of the loop together that an echo takes, by processor time; the best of five runs.

    5 ms; twice that for the largest page that is read at all, whose bytes alone take their time.
    """
    kind, settings, behave = PEERS[name]
    asking = ask.kind(kind)
    assert isinstance(asking, Asking)
    with elsewhere(behave) as peer:
        filled = {key: value.replace("PORT", str(peer.port)) for key, value in settings.items()}
        valid = asking.settings.model_validate(filled)
        longest = least_longest_turns(lambda: asking.run(valid, 20))
    assert longest < MOST_MILLISECONDS * (2 if name in LARGEST else 1)
