"""One request: who asks, with which key, and the transaction that carries it out."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi import Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.consumer import Reader
from shared.database import Connection, Pool
from shared.errors import Forbidden, Malformed, Unconditional
from shared.grants import Caller, Role
from shared.http.idempotency import RequestKey, claim, remember
from shared.identity import Identity
from shared.resource import Line, Resource
from shared.transactions import Transaction, begin

CORRELATION_ID = r"[\x21-\x7e]{1,100}"

P = ParamSpec("P")
R = TypeVar("R", bound=BaseModel)
Q = TypeVar("Q", bound=Resource)


class Placed(Protocol):
    """Something that belongs to a site."""

    @property
    def site_id(self) -> str:
        """The site."""


S = TypeVar("S", bound=Placed)


@dataclass(frozen=True, eq=False)
class RouteContext:
    """What a service's routes work with; the application holds one."""

    service: str
    pool: Pool
    identity: Identity
    reader: Reader


@dataclass(frozen=True)
class Call:
    """A request whose caller is known and holds the route's role at one site at least."""

    context: RouteContext
    caller: Caller
    correlation_id: str
    response: Response
    key: RequestKey | None
    reason: str | None = None

    async def run(
        self, handler: Callable[Concatenate[Transaction, P], Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Carries out a command in one transaction, once for its Idempotency-Key, and answers with its result."""
        async with begin(
            self.context.pool,
            self.context.service,
            actor=self.caller.name,
            correlation_id=self.correlation_id,
            reason=self.reason,
        ) as tx:
            if self.key is not None:
                await claim(tx, self.key)
            result = await handler(tx, *args, **kwargs)
            if self.key is not None:
                await remember(tx, self.key, result.model_dump_json().encode())
        if isinstance(result, Resource):
            self.tag(result)
        return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A connection in a read-only transaction that sees one moment."""
        async with self.context.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            yield conn

    async def find(self, role: Role, what: str, select: Callable[[Connection, str], Awaitable[S]], thing_id: str) -> S:
        """The thing of that id, for a caller who has ``role`` at its site. Raises Forbidden, NotFound.

        ``select`` raises NotFound in the words ``no <what> <id>``; so does this for what the caller may not see.
        """
        async with self.read() as conn:
            found = await select(conn, thing_id)
        self.caller.require(role, found.site_id, f"{what} {thing_id}")
        return found

    def for_content(self, sha256: str) -> "Call":
        """The same call, whose Idempotency-Key stands for the content too that the route has read by itself."""
        return self if self.key is None else replace(self, key=self.key.with_content(sha256))

    def tag(self, resource: Q) -> Q:
        """Answers with the resource and its version as ETag (RFC 9110 §8.8.3)."""
        self.response.headers["ETag"] = f'"{resource.version}"'
        return resource


class RoleRequired:
    """The dependency that lets a request in. A route without one does not start (see ``service_app``).

    ``reads`` is how many bytes of body the route takes, where it reads them by itself as they come.
    """

    def __init__(self, role: Role, reads: int | None = None) -> None:
        self.role: Role = role
        self.reads = reads

    async def __call__(
        self,
        request: Request,
        response: Response,
        idempotency_key: Annotated[str | None, Header()] = None,
        x_correlation_id: Annotated[str | None, Header(pattern=f"^{CORRELATION_ID}$")] = None,
        change_reason: Annotated[str | None, Header(max_length=800)] = None,
    ) -> Call:
        """Raises Unauthenticated without a valid token, Forbidden without the role at any site, Malformed for a
        query parameter that the route does not know, or that is given twice and can't be, or is no text: a filter that
        was mistyped must not show everything, and of two filters none may be dropped unseen."""
        context: RouteContext = request.app.state.context
        caller = await context.identity.recognize(request.headers.get("authorization"))
        sites = caller.sites(self.role)
        if sites is not None and not sites:
            raise Forbidden(f"this needs the role {self.role}")
        refuse_unreadable(request.scope["query_string"])
        given = [name for name, _ in request.query_params.multi_items()]
        refuse_others(given, parameters_of(request.scope["route"].dependant))
        key = None
        if request.method == "POST" and idempotency_key is not None:
            path = request.url.path + ("?" + request.url.query if request.url.query else "")
            body = await request.body() if self.reads is None else b""
            key = RequestKey.of(caller.name, idempotency_key, request.method, path, body)
        reason = None if change_reason is None else parse_reason(change_reason)
        return Call(context, caller, request.state.correlation_id, response, key, reason)


_REASON: TypeAdapter[str] = TypeAdapter(Line)


def parse_reason(header: str) -> str:
    """Why something is changed: the header is UTF-8, although it is handed on as Latin-1. Raises Malformed."""
    try:
        return _REASON.validate_python(header.encode("latin-1").decode())
    except (UnicodeError, ValidationError) as exc:
        raise Malformed("Change-Reason", "must be one line of 1 to 200 characters in UTF-8", "new battery") from exc


def parameters_of(dependant: Dependant) -> dict[str, bool]:
    """All query parameters of a route, and whether one may be given several times."""
    found = {field.alias: _takes_several(field.field_info.annotation) for field in dependant.query_params}
    for inner in dependant.dependencies:
        found |= parameters_of(inner)
    return found


def _takes_several(annotation: Any) -> bool:
    return any(get_origin(kind) in (list, set, frozenset) for kind in (annotation, *get_args(annotation)))


def refuse_others(given: Sequence[str], known: Mapping[str, bool]) -> None:
    """Raises Malformed for the first name that is not known, or that is there again and may not be."""
    for name, count in Counter(given).items():
        if name not in known:
            example = f"one of {', '.join(sorted(known))}" if known else "none"
            raise Malformed(name, "is no parameter of this address", example)
        if count > 1 and not known[name]:
            raise Malformed(name, "must be given once", f"one {name}, and the others in further requests")


def refuse_unreadable(query: bytes) -> None:
    """Raises Malformed for the first parameter that is not percent-encoded UTF-8: it would be read as other text."""
    for pair in query.split(b"&"):
        try:
            unquote_to_bytes(pair.decode("ascii")).decode()
        except UnicodeDecodeError as exc:
            name = unquote_to_bytes(pair.partition(b"=")[0]).decode(errors="replace")
            raise Malformed(name, "must be percent-encoded UTF-8", "K%C3%B6ln") from exc


def requires(role: Role, reads: int | None = None) -> Any:
    """Declares the role of a route: ``call: Annotated[Call, requires("operator")]``.

    A route that reads a body of its own kind, as it comes, says how large it may be: ``reads``. It then runs its
    command by ``call.for_content(digest)``.
    """
    return Depends(RoleRequired(role, reads))


# A coroutine, although it awaits nothing: any other dependency is sent to a thread and back.
async def _expected_version(if_match: Annotated[str | None, Header()] = None) -> int:
    if if_match is None:
        raise Unconditional("send the header If-Match with the ETag that you have seen")
    match = re.fullmatch(r'(?:W/)?"(\d{1,18})"', if_match)
    if match is None:
        raise Malformed("If-Match", "must be an ETag of this resource", '"3"')
    return int(match[1])


IfMatch = Annotated[int, Depends(_expected_version)]
"""The version that a change is based on. Raises Unconditional (428) without the header."""
