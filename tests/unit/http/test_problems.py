"""A refusal shows an example that the caller could have sent; a caller who has left gets none, and is no error."""

from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import FastAPI, Query, Request
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, ConfigDict, Field
from starlette.types import Message

from shared.errors import Malformed
from shared.events import SiteId
from shared.http import Body, problems
from shared.http.call import parameters_of, refuse_others

EXAMPLE: dict[str, Any] = {"id": "north", "port": 104, "roles": ["admin"], "software": {"version": "4.1.0"}}


class Software(Body):
    """A part of a body."""

    version: str = Field(min_length=1)


class Thing(Body):
    """A body with an example."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: str = Field(pattern="^[a-z]+$")
    port: int = Field(ge=1, le=65535)
    roles: list[str]
    software: Software
    kind: Literal["archive", "modality"] | None = None
    days: int | None = None
    at: AwareDatetime | None = None


async def errors_of(body: object) -> list[dict[str, str]]:
    """What is told of the body."""
    app = FastAPI()
    problems.install(app)

    @app.post("/things")
    async def create(thing: Thing) -> None:
        """Takes a thing."""

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://steward") as client:
        if isinstance(body, bytes):
            answer = await client.post("/things", content=body, headers={"Content-Type": "application/json"})
        else:
            answer = await client.post("/things", json=body)
    assert answer.status_code == 422
    told: list[dict[str, str]] = answer.json()["errors"]
    return told


@pytest.mark.parametrize(
    ("change", "field", "example"),
    [
        ({"id": "North!"}, "id", "north"),
        ({"port": 0}, "port", "104"),
        ({"roles": ["admin", 3]}, "roles.1", "admin"),
        ({"roles": "admin"}, "roles", '["admin"]'),
        ({"software": {"version": ""}}, "software.version", "4.1.0"),
        ({"software": {}}, "software.version", "4.1.0"),
        ({"colour": "blue"}, "colour", "leave it out"),
        ({"kind": "toaster"}, "kind", "archive"),
        ({"days": "few"}, "days", "12"),
        ({"days": [1]}, "days", "12"),
        ({"at": "2026-03-01"}, "at", "2026-03-01T22:00:00Z"),
        ({"at": "2026-03-01T10:00:00"}, "at", "2026-03-01T22:00:00Z"),
        ({"at": "yesterday"}, "at", "2026-03-01T22:00:00Z"),
    ],
)
async def test_the_example_is_that_of_the_body(change: dict[str, Any], field: str, example: str) -> None:
    [error] = await errors_of(EXAMPLE | change)
    assert (error["field"], error["example"]) == (field, example)


async def test_all_that_is_missing_is_told_with_examples() -> None:
    assert {error["field"]: error["example"] for error in await errors_of({})} == {
        "id": "north",
        "port": "104",
        "roles": '["admin"]',
        "software": '{"version": "4.1.0"}',
    }


async def test_what_is_no_object_is_refused_with_the_whole_example() -> None:
    [error] = await errors_of([1])
    assert error["field"] == "body"
    assert '"id": "north"' in error["example"]


@pytest.mark.parametrize("body", [b'{"id": "north"', b'{"port": ' + b"9" * 5000 + b"}", b"[" * 100_000, b"\xff"])
async def test_broken_json_is_a_fault_of_the_body(body: bytes) -> None:
    [error] = await errors_of(body)
    assert error["field"] == "body"
    assert error["example"] == '{"name": "value"}'


@pytest.mark.parametrize(
    ("query", "field", "example"),
    [
        ("", "format", "csv"),
        ("format=xml", "format", "csv"),
        ("format=csv&limit=0", "limit", "1"),
        ("format=csv&limit=1000", "limit", "500"),
        ("format=csv&above=1", "above", "2"),
        ("format=csv&site_id=North!", "site_id", "north"),
        ("format=csv&code=x", "code", "A-12"),
        ("format=csv&text=ab", "text", "xxx"),
        ("format=csv&text=abcdef", "text", "one of 5 characters"),
        ("format=csv&types=a&types=b&types=c", "types", "2 of them"),
        ("format=csv&is_open=maybe", "is_open", "true"),
    ],
)
async def test_the_example_of_a_parameter_can_be_sent(query: str, field: str, example: str) -> None:
    """It is the one that the parameter shows, or it follows from its type and its rule."""
    app = FastAPI()
    problems.install(app)

    @app.get("/things")
    async def find(
        format: Literal["csv", "ndjson"],
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        above: Annotated[int, Query(gt=1)] = 2,
        site_id: SiteId | None = None,
        code: Annotated[str, Query(pattern="^[A-Z]-[0-9]+$", examples=["A-12"])] = "B-1",
        text: Annotated[str, Query(min_length=3, max_length=5)] = "any",
        types: Annotated[list[str] | None, Query(max_length=2)] = None,
        is_open: bool = False,
    ) -> None:
        """Takes parameters."""

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://steward") as client:
        answer = await client.get(f"/things?{query}")
    [error] = answer.json()["errors"]
    assert (error["field"], error["example"]) == (field, example)


PARAMETERS = {"site_id": False, "type": True}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (["site_id", "site_id"], "site_id"),
        (["type", "site_id", "x"], "x"),
        (["type", "site_id", "type", "site_id"], "site_id"),
    ],
)
def test_a_parameter_that_is_unknown_or_given_twice_is_refused(given: list[str], field: str) -> None:
    """Of two sites the last one would be taken, and who asked for both would not see it."""
    with pytest.raises(Malformed) as refused:
        refuse_others(given, PARAMETERS)
    assert refused.value.extra["errors"][0]["field"] == field
    refuse_others(["type", "site_id", "type"], PARAMETERS)


def test_what_may_be_given_several_times_is_told_by_its_type() -> None:
    """A list, a set, or none of them."""
    app = FastAPI()

    @app.get("/things")
    async def find(
        site_id: str | None = None,
        type: Annotated[frozenset[str], Query()] = frozenset(),
        outcome: Annotated[list[str] | None, Query()] = None,
    ) -> None:
        """Takes parameters."""

    route = next(route for route in app.routes if isinstance(route, APIRoute) and route.path == "/things")
    assert parameters_of(route.dependant) == {"site_id": False, "type": True, "outcome": True}


@pytest.mark.parametrize("path", ["/things", "/streams"])
async def test_a_caller_who_leaves_within_the_body_is_no_error(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whether the framework reads the body or the route does; it is logged as what it is, and counted as 499."""
    app, sent = FastAPI(), list[Message]()
    problems.install(app)

    @app.post("/things")
    async def create(thing: Thing) -> None:
        """Takes a thing."""

    @app.post("/streams")
    async def read(request: Request) -> None:
        """Takes what comes."""
        assert [part async for part in request.stream()]

    coming: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return coming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", b"50")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    assert sent[0]["status"] == 499
    told = capsys.readouterr().out
    assert ("http.left" in told, "http.failed" in told) == (True, False)
