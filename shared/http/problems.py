"""Errors as problem documents (RFC 9457): what was refused, and for bad input the field, the rule and an example."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import asyncpg
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from shared.database import is_transient
from shared.errors import Malformed, Refused, Unauthenticated, Unavailable
from shared.events.contract import SITE_ID
from shared.http.idempotency import AlreadyAnswered
from shared.resource import UUID
from shared.telemetry import log

MEDIA_TYPE = "application/problem+json"
EXAMPLES_BY_RULE: Mapping[str, str] = {
    "datetime_from_date_parsing": "2026-03-01T22:00:00Z",
    "datetime_parsing": "2026-03-01T22:00:00Z",
    "extra_forbidden": "leave it out",
    "int_type": "12",
    "int_parsing": "12",
    "json_invalid": '{"name": "value"}',
    "timezone_aware": "2026-03-01T22:00:00Z",
}
EXAMPLES_BY_PATTERN: Mapping[str, str] = {
    SITE_ID: "north",
    UUID: "0198c0de-0000-7000-8000-000000000001",
    r"[^\x00-\x1f]+": "text in one line",
    r"[^\x00-\x1f]*": "text in one line",
    r"[\x21-\x7e]+": "leave it out",
}
"""For fields that show no example of their own: by their pattern without its anchors."""

NEAREST: Mapping[str, int] = {"ge": 0, "le": 0, "gt": 1, "lt": -1}
"""How far from its bound the nearest whole number is that keeps it."""

ALLOWED = re.compile(r"'([^']+)'")
"""The first of the values that pydantic lists where one of them was expected."""

CLIENT_LEFT = 499
"""What is counted of a request whose caller has left: nobody reads it, so no standard has a number for it."""
NOT_JSON = Malformed(
    "body", "must be JSON in UTF-8, without endless nesting or endless numbers", EXAMPLES_BY_RULE["json_invalid"]
)
"""What FastAPI has no fault of its own for and answers 400."""


def problem(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail} | extra
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every error of ``app`` a problem document."""
    app.exception_handler(Refused)(refused)
    app.exception_handler(RequestValidationError)(malformed)
    app.exception_handler(AlreadyAnswered)(already_answered)
    app.add_exception_handler(HTTPException, http_problem)
    # What is named here is answered and no more; what is only an Exception is also raised again to the server.
    for kind in (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Unavailable, ClientDisconnect, Exception):
        app.exception_handler(kind)(failed)


async def refused(_: Request, exc: Refused) -> Response:
    """A command that was not carried out."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(exc, Unauthenticated) else None
    return problem(exc.status, exc.title, exc.detail, headers, **exc.extra)


async def malformed(request: Request, exc: RequestValidationError) -> Response:
    """Input that breaks a rule: each field with its rule and an example, the first of them in a sentence."""
    errors = faults_of(request, exc)
    first = errors[0]
    detail = f"{first['field']}: {first['rule']}, for example {first['example']}"
    return problem(422, "Malformed input", detail, errors=errors)


def faults_of(request: Request, exc: RequestValidationError) -> list[dict[str, str]]:
    """Each field that broke a rule, with the rule and an example."""
    route = request.scope.get("route")
    body, parameters = _example_body(route), _example_parameters(getattr(route, "dependant", None))
    return [_fault(fault, body, parameters) for fault in exc.errors()]


async def already_answered(request: Request, exc: AlreadyAnswered) -> Response:
    """No error to the caller: the answer of the first time, marked as such."""
    status = getattr(request.scope.get("route"), "status_code", None) or 200
    headers = {"Idempotency-Replayed": "true"}
    if isinstance(version := json.loads(exc.answer).get("version"), int):
        headers["ETag"] = f'"{version}"'
    return Response(exc.answer, status, headers, "application/json")


async def failed(request: Request, exc: Exception) -> Response:
    """A fault that is not the caller's: 503 where it will pass by itself, else 500. A caller who has left is none."""
    if isinstance(exc, ClientDisconnect):
        log.info("http.left", path=request.url.path)
        return Response(status_code=CLIENT_LEFT)
    if is_transient(exc):
        log.warning("http.unavailable", path=request.url.path, error=repr(exc))
        return problem(503, "Try again", "a part of the system does not answer", {"Retry-After": "2"})
    log.error("http.failed", path=request.url.path, exc_info=exc)
    return problem(500, "Internal error", "the request failed; nothing was changed")


async def http_problem(request: Request, exc: Exception) -> Response:
    """What the frameworks refuse by themselves: an unknown address, a wrong method, a body that they can't read."""
    assert isinstance(exc, HTTPException)  # noqa: S101 -- it is installed for no other
    if isinstance(exc.__cause__, ClientDisconnect):
        return await failed(request, exc.__cause__)
    if isinstance(exc.__cause__, ValueError | RecursionError):
        return problem(422, Malformed.title, str(NOT_JSON), **NOT_JSON.extra)
    return problem(exc.status_code, str(exc.detail), str(exc.detail), exc.headers)


def _example_body(route: Any) -> Any:
    """The example that the route's body shows, or None."""
    field = getattr(route, "body_field", None)
    shown = getattr(field and field.field_info.annotation, "model_config", {}).get("json_schema_extra") or {}
    return (shown.get("examples") or [None])[0]


def _example_parameters(dependant: Dependant | None) -> dict[str, Any]:
    """The first example that each parameter of a route shows, or that follows from its type."""
    if dependant is None:
        return {}
    found = {}
    for field in (*dependant.query_params, *dependant.path_params):
        shown = [*(field.field_info.examples or ()), *_examples_of_type(field.field_info.annotation)]
        if shown:
            found[field.alias] = shown[0][0] if isinstance(shown[0], list) else shown[0]
    for inner in dependant.dependencies:
        found |= _example_parameters(inner)
    return found


def _examples_of_type(annotation: Any) -> Sequence[Any]:
    return (
        get_args(annotation) if get_origin(annotation) is Literal else {int: ["12"], bool: ["true"]}.get(annotation, [])
    )


def _fault(fault: Mapping[str, Any], body: Any, parameters: Mapping[str, Any]) -> dict[str, str]:
    context = fault.get("ctx") or {}
    kind = str(fault["type"])
    where, *place = fault["loc"] if kind != "json_invalid" else ("body",)
    example = context.get("example") or EXAMPLES_BY_RULE.get(kind)
    if example is None and where == "body":
        example = _part_of(body, place)
    example = example or _example_of(kind, context) or (parameters.get(str(place[0])) if place else None)
    example = example or ("a value" if kind == "missing" else f"a valid {kind.split('_')[0]}")
    return {"field": ".".join(map(str, place)) or str(where), "rule": str(fault["msg"]), "example": str(example)}


def _part_of(body: Any, place: Sequence[str | int]) -> str | None:
    """What stands at ``place`` in an example, as JSON unless it is text."""
    for part in place:
        if isinstance(body, dict) and part in body:
            body = body[part]
        elif isinstance(body, list) and body and isinstance(part, int):
            body = body[0]
        else:
            return None
    return body if isinstance(body, str) or body is None else json.dumps(body)


def _example_of(kind: str, context: Mapping[str, Any]) -> str | None:
    """An example that follows from the rule."""
    if listed := ALLOWED.match(str(context.get("expected", ""))):
        return listed[1]
    for bound, step in NEAREST.items():
        if bound in context:
            return str(context[bound] + step if isinstance(context[bound], int) else context[bound])
    if pattern := context.get("pattern"):
        return EXAMPLES_BY_PATTERN.get(str(pattern).removeprefix("^").removesuffix("$"))
    least, most = context.get("min_length"), context.get("max_length")
    if kind.startswith("string_"):
        return "x" * least if least else f"one of {most} characters" if most else None
    return f"{least or most} of them" if least or most else None
