"""Errors as FHIR tells them: a route of this kind answers every refusal and fault with an OperationOutcome."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.compliance.export.fhir import MEDIA_TYPE, operation_outcome
from shared.errors import Refused, Unauthenticated
from shared.http import problems

ISSUES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    409: "conflict",
    410: "deleted",
    503: "transient",
}
"""FHIR's issue types by status; everything else is an exception."""

MALFORMED = 422
BAD_REQUEST = 400
"""FHIR keeps 422 for resources; parameters that break a rule are answered 400 (FHIR R4, http, 3.1.0.1.12)."""


class FhirRoute(APIRoute):
    """A route whose errors are OperationOutcomes, those of who may call it included."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, within what turns errors into answers."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except Refused as exc:
                status = BAD_REQUEST if exc.status == MALFORMED else exc.status
                headers = {"WWW-Authenticate": "Bearer"} if isinstance(exc, Unauthenticated) else None
                return outcome(status, exc.detail, headers)
            except RequestValidationError as exc:
                fault = problems.faults_of(request, exc)[0]
                return outcome(BAD_REQUEST, f"{fault['field']}: {fault['rule']}, for example {fault['example']}")
            except Exception as exc:
                told = await problems.failed(request, exc)
                text = "a part of the system does not answer; try again" if told.status_code == 503 else "it failed"
                return outcome(told.status_code, text)

        return answered


def outcome(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """An OperationOutcome."""
    return JSONResponse(operation_outcome(ISSUES.get(status, "exception"), text), status, headers, MEDIA_TYPE)
