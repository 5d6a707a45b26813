"""Whatever is sent to whichever route: an answer, never a fault of ours, and each refusal says what is wrong."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx

from tests.integration.access.group import EVERYTHING, Group, body_of

TEXTS = (
    "",
    " ",
    "\x00",
    "\u2028",
    "٣",
    "-1",
    "1e400",
    "9" * 60,
    "a" * 3000,
    "'; DROP TABLE sites; --",
    "%00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b11\n",
)
VALUES = (
    *(b'""', b'" "', b'"\\u0000"', b'"\\u2028x"', b'"2016-12-31T23:59:60Z"', b'"0001-01-01T00:00:00+14:00"'),
    *(b"null", b"true", b"-1", b"1e400", b"NaN", b"9" * 30, b"9" * 5000, b"[]", b"{}", b'[["x"]]'),
    *(b'"\\ud800"', b'["\\udc00\\ud800"]', b'"\xed\xa0\x80"', b'"=?utf-8?q?=0D=0ABcc:x?="'),
)
BODIES = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"\x00", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"9" * 5000),
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"\\ud800":1}', b'{"\\u0000":1}', b'{"a":1,"a":2}'),
)
READ_BY_EACH_ROUTE = (
    *({"If-Match": tag} for tag in ("*", "", "3", '"x"', '"3", "4"', f'"{"9" * 18}"', f'"{"9" * 30}"', '"-1"')),
    *({"Idempotency-Key": key} for key in ("", "x" * 201, "a\tb")),
    *({"Content-Type": kind} for kind in ("", "text/plain", "multipart/form-data; boundary=x", "application/xml")),
)
READ_BEFORE_IT = (
    *({"X-Correlation-Id": name} for name in ("", "a b", "x" * 101, "<script>")),
    *({"traceparent": parent} for parent in ("", "00-0-0-0", f"ff-{'f' * 32}-{'f' * 16}-01", "x" * 5000)),
    *(
        {"Authorization": token}
        for token in ("Bearer", "Basic x", "Bearer stw_x", "Bearer a.b.c", "Bearer " + "x" * 9000)
    ),
)


def check(answer: httpx.Response, asked: str) -> None:
    """The answer is none of our faults, belongs to a flow, and says what is wrong where something is."""
    told = f"{asked[:200]} → {answer.status_code} {answer.text[:200]}"
    assert answer.status_code < 500, told
    assert answer.headers["x-correlation-id"], told
    if answer.status_code >= 400 and answer.headers["content-type"] == "application/fhir+json":
        assert "/fhir/" in asked, told
        assert answer.json()["issue"][0]["diagnostics"], told
    elif answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", told
        problem = answer.json()
        assert problem["status"] == answer.status_code != 400, told
        assert problem["title"], told
        assert problem["detail"], told
        for error in problem.get("errors", [{}] if answer.status_code == 422 else []):
            assert error["field"] and error["rule"] and error["example"], told  # noqa: PT018 -- told names the part


def spoilt_bodies(body: dict[str, Any]) -> Iterator[bytes]:
    """The body with one field at a time replaced by what does not belong there."""
    yield from BODIES
    for name in body:
        rest = json.dumps({other: value for other, value in body.items() if other != name}).encode()
        for value in VALUES:
            yield rest[:-1] + (b"," if len(body) > 1 else b"") + json.dumps(name).encode() + b":" + value + b"}"


async def test_no_parameter_is_too_odd(group: Group) -> None:
    """In the query and in the path: cursors that are none, times that no clock shows, ids of other things."""
    ids = group.ids["north"]
    async with group.steward.as_("root", *EVERYTHING) as root:
        for endpoint in group.endpoints:
            for name in endpoint.query:
                for text in TEXTS:
                    check(await group.ask(root, endpoint, ids, **{name: text}), f"{endpoint} {name}={text!r}")
            for name in endpoint.parameters:
                for text in filter(None, TEXTS):
                    odd = {**ids, name: quote(text, safe="")}
                    check(await group.ask(root, endpoint, odd), f"{endpoint} {name}={text!r}")


async def test_no_body_is_too_odd(group: Group) -> None:
    """JSON that is none, or has in one place what JSON allows and nobody expects."""
    ids = group.ids["north"]
    headers = {"If-Match": '"999"', "Content-Type": "application/json"}
    async with group.steward.as_("root", *EVERYTHING) as root:
        for endpoint in group.endpoints:
            if body := body_of(endpoint, ids):
                for content in spoilt_bodies(body):
                    url = f"/{endpoint.service}{endpoint.path.format_map(ids)}"
                    answer = await root.request(endpoint.method, url, content=content, headers=headers)
                    check(answer, f"{endpoint} {content[-200:]!r}")


async def test_no_header_is_too_odd(group: Group) -> None:
    """Versions, keys, types that are none; flows, traces and tokens, which all routes of a service share, at some."""
    ids, seen = group.ids["north"], set[tuple[str, str]]()
    async with group.steward.as_("root", *EVERYTHING) as root:
        for endpoint in group.endpoints:
            content = json.dumps(body_of(endpoint, ids)).encode() if endpoint.example else b""
            is_first = (endpoint.service, endpoint.method) not in seen
            seen.add((endpoint.service, endpoint.method))
            for odd in (*READ_BY_EACH_ROUTE, *(READ_BEFORE_IT if is_first else ())):
                headers = {"If-Match": '"999"', "Content-Type": "application/json", **odd}
                url = f"/{endpoint.service}{endpoint.path.format_map(ids)}"
                answer = await root.request(endpoint.method, url, content=content, headers=headers)
                check(answer, f"{endpoint} {odd}")


async def test_what_is_nowhere_is_a_problem_too(group: Group) -> None:
    """Addresses that no service has, and methods that an address has not."""
    async with group.steward.as_("root", *EVERYTHING) as root:
        for path in (
            "/",
            "/nope",
            "/inventory/",
            "/inventory/v1/nope",
            "/inventory//v1/sites",
            "/inventory/v1/sites/%0A",
        ):
            answer = await root.get(path)
            check(answer, path)
            assert answer.status_code in (404, 422), path
        wrong = await root.delete("/inventory/v1/sites")
        check(wrong, "DELETE")
        assert wrong.status_code == 405


async def test_refusal_belongs_to_the_callers_flow(group: Group) -> None:
    """Its id comes back with every answer, so that a caller finds the refusal in the logs."""
    flow = {"X-Correlation-Id": "flow-1"}
    async with group.steward.as_("root", *EVERYTHING) as root:
        answers = [
            await root.get("/inventory/v1/sites", headers=flow),
            await root.get("/inventory/v1/nope", headers=flow),
            await root.post("/inventory/v1/sites", json={}, headers=flow),
            await group.steward.http.get("/inventory/v1/sites", headers=flow),
        ]
    assert [answer.status_code for answer in answers] == [200, 404, 422, 401]
    assert [answer.headers["x-correlation-id"] for answer in answers] == ["flow-1"] * 4
