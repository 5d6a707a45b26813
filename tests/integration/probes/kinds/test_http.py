"""http against real servers, and against servers that lie."""

import asyncio
import base64
import shutil
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.integration.probes.dicom import peers
from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.certs import minted
from tests.integration.probes.kinds.serving import serving


def page(text: str = "Sign in", **options: object) -> Route:
    """A page at /."""

    async def answer(request: Request) -> Response:
        return PlainTextResponse(text, headers={"X-Served-By": "viewer"})

    return Route("/", answer)


def saying(raw: bytes) -> peers.Behaviour:
    """Answers any request with these bytes, and closes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()

    return behave


async def test_page_that_is_as_expected_is_ok_with_its_phases(ask: Asked) -> None:
    """Status, text, header; phases, and the whole time as a measure."""
    async with serving([page()]) as url:
        seen = await ask(
            "http",
            {
                "url": url.replace("127.0.0.1", "localhost") + "/",
                "contains": "Sign in",
                "lacks": "maintenance",
                "expected_headers": {"X-Served-By": "viewer"},
            },
        )
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert set(seen.phases) == {"dns", "tcp", "answer", "body"}
    assert seen.measures["bytes"] == len("Sign in")
    assert seen.measures["total_seconds"] * 1000 >= sum(seen.phases.values()) * 0.99


@pytest.mark.parametrize(
    ("expected", "failure"),
    [
        ({"statuses": [401]}, "http_status"),
        ({"contains": "Worklist"}, "http_body"),
        ({"lacks": "Sign"}, "http_body"),
        ({"expected_headers": {"X-Served-By": "other"}}, "http_header"),
        ({"largest": 3}, "too_large"),
    ],
)
async def test_page_that_is_not_as_expected_is_told(expected: dict[str, object], failure: str, ask: Asked) -> None:
    """Each with a word of its own."""
    async with serving([page()]) as url:
        seen = await ask("http", {"url": url, **expected})
    assert (seen.outcome, seen.failure) == ("failed", failure)


async def test_certificate_of_https_is_verified_and_told(ask: Asked, tmp_path: Path) -> None:
    """One check watches the page and the days that its certificate has left."""
    certificate = minted(tmp_path / "good", ends=20)
    shutil.copy(certificate.ca, f"{ask.here.probe_secrets}/hospital-ca.pem")
    async with serving([page()], certificate) as url:
        seen = await ask("http", {"url": url, "trust": "hospital-ca.pem"})
        untrusted = await ask("http", {"url": url})
    assert seen.outcome == "ok", seen
    assert seen.measures["expires_in_days"] == pytest.approx(20, abs=0.01)
    assert "tls" in seen.phases
    assert (untrusted.outcome, untrusted.failure) == ("failed", "tls_untrusted")


async def test_login_is_shown_and_never_told(ask: Asked) -> None:
    """A server that gives the secret back does not bring it into a result."""

    async def mirror(request: Request) -> Response:
        user, _, password = base64.b64decode(request.headers["authorization"].split()[1]).decode().partition(":")
        return PlainTextResponse("", status_code=403 if (user, password) != ("ann", "open sesame") else 200)

    async def leak(request: Request) -> Response:
        return PlainTextResponse("", headers={"X-Token": request.headers["authorization"].removeprefix("Bearer ")})

    async with serving([Route("/", mirror), Route("/leak", leak)]) as url:
        assert (await ask("http", {"url": url, "username": "ann", "password": "word"})).outcome == "ok"
        assert (await ask("http", {"url": url, "username": "ann", "password": "wrong"})).failure == "http_status"
        told = await ask("http", {"url": f"{url}/leak", "token": "word", "expected_headers": {"X-Token": "other"}})
    assert told.failure == "http_header"
    assert "sesame" not in repr(told)


async def test_redirects_are_followed_within_bounds(ask: Asked) -> None:
    """The answer behind them counts; a circle ends."""

    async def turn(request: Request) -> Response:
        left = int(request.path_params["left"])
        return RedirectResponse(f"/{left - 1}" if left else "/")

    async with serving([Route("/{left:int}", turn), page()]) as url:
        assert (await ask("http", {"url": f"{url}/1", "contains": "Sign in"})).outcome == "ok"
        assert (await ask("http", {"url": f"{url}/9"})).failure == "redirect"
        assert (await ask("http", {"url": f"{url}/9", "redirects": 0, "statuses": [307]})).outcome == "ok"


@pytest.mark.parametrize(
    "secret", [{"token": "word"}, {"username": "ann", "password": "word"}, {"headers": {"X-Key": "1"}}]
)
async def test_credentials_go_to_no_other_host(secret: dict[str, object], ask: Asked) -> None:
    """Nor does any header that an operator has set; without any, a redirect to another host is followed."""
    heard: list[str] = []

    async def other(request: Request) -> Response:
        heard.append(request.headers["host"])
        return PlainTextResponse("caught")

    async with serving([Route("/", other)]) as elsewhere:

        async def away(request: Request) -> Response:
            return RedirectResponse(elsewhere.replace("127.0.0.1", "localhost"))

        async with serving([Route("/", away)]) as url:
            refused = await ask("http", {"url": url, **secret})
            assert (refused.outcome, refused.failure, heard) == ("failed", "redirect", [])
            assert (await ask("http", {"url": url, "contains": "caught"})).outcome == "ok"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/"])
async def test_only_http_is_followed(location: str, ask: Asked) -> None:
    """A server can't have us read a file."""
    answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    async with peers.listening(saying(answer)) as peer:
        seen = await ask("http", {"url": f"http://127.0.0.1:{peer.port}/"})
    assert (seen.outcome, seen.failure) == ("failed", "redirect")


@pytest.mark.parametrize(
    ("raw", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "protocol"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nLocation: \x00\xff\r\n\r\n", "protocol"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "protocol"),
        (b"", "closed"),
    ],
)
async def test_answer_that_breaks_http_is_told(raw: bytes, failure: str, ask: Asked) -> None:
    """Never by an exception."""
    async with peers.listening(saying(raw)) as peer:
        seen = await ask("http", {"url": f"http://127.0.0.1:{peer.port}/"})
    assert (seen.outcome, seen.failure) == ("failed", failure), seen


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://ann:secret@host/",
        "host/",
        "http://",
        "http://[::1",
        "http://ho st/",
        "http://h:99999/",
    ],
)
def test_address_that_is_no_plain_url_is_refused(url: str, ask: Asked) -> None:
    """A file, a password inside, nonsense."""
    with pytest.raises(ValueError, match="url"):
        type(ask.kind("http")).settings.model_validate({"url": url})
