"""The kind ``http``: does a page or an interface answer as it should, and how fast?"""

import re
from datetime import timedelta
from typing import ClassVar, Literal

import httpx
from pydantic import ConfigDict, Field, model_validator

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt
from services.probes.kinds.certificates import certificates_of, days_left, facts_of, now
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.exchange import HTTP_FAILURES, Login, Url, client, tls_of
from services.probes.kinds.redirects import follow
from services.probes.kinds.tls import EXPIRY

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
LINE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,1998}[\x21-\x7e])?|")


class HttpSettings(Login):
    """What to ask for, and what to expect of the answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"url": "https://pacs.north.example.org/health", "contains": "ok"}]},
    )

    url: Url = Field(description="http:// or https:// address", examples=["https://pacs.north.example.org/health"])
    method: Literal["GET", "HEAD"] = Field("GET", description="method of the request", examples=["HEAD"])
    headers: dict[str, str] = Field(
        {}, max_length=20, description="headers of the request; no secrets", examples=[{"Accept": "text/html"}]
    )
    statuses: list[int] = Field(
        [], max_length=20, description="statuses that are right; by default 200 to 299", examples=[[200, 401]]
    )
    contains: str | None = Field(
        None, min_length=1, max_length=500, description="text that the body must have in it", examples=["Sign in"]
    )
    lacks: str | None = Field(
        None, min_length=1, max_length=500, description="text that it must not have in it", examples=["maintenance"]
    )
    expected_headers: dict[str, str] = Field(
        {},
        max_length=20,
        description="headers of the answer, each with a text that it must have in it",
        examples=[{"Content-Type": "text/html"}],
    )
    redirects: int = Field(3, ge=0, le=10, description="redirects that are followed", examples=[0])
    largest: int = Field(
        1_048_576, ge=1, le=67_108_864, description="bytes that the body may have", examples=[1_048_576]
    )

    @model_validator(mode="after")
    def _can_be_sent(self) -> "HttpSettings":
        for name, value in self.headers.items():
            if not (TOKEN.fullmatch(name) and LINE.fullmatch(value)):
                raise ValueError(
                    f"the header {name!r} must be a name and a line of ASCII, for example Accept: text/html"
                )
        return self


class Http(Asking[HttpSettings]):
    """One request, its redirects, and the answer held against what is expected."""

    name = "http"
    summary = "Asks for a page: status, text, headers, and the time of each phase."
    settings = HttpSettings
    interval = timedelta(seconds=60)
    measures: ClassVar = {
        "total_seconds": Measure("seconds", "higher", "from the name's look-up to the last byte", baseline=True),
        "bytes": Measure("bytes", "higher", "size of the body"),
        **EXPIRY,
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | HTTP_FAILURES
        | {
            "http_body": "the body lacks what it must have in it, or has what it must not",
            "http_header": "a header of the answer is missing or another",
        }
    )

    async def ask(self, settings: HttpSettings, attempt: Attempt) -> Observation:
        """Asks, and judges the answer."""
        credentials = settings.headers | settings.login_headers(attempt)
        async with client(attempt, settings, settings.largest, credentials) as speaking:
            request = speaking.build_request(settings.method, settings.url)
            hosts = frozenset({request.url.host}) if credentials else None
            response = await follow(speaking, request, settings.redirects, hosts)
        failure, detail = _fault_of(settings, response) or (None, f"The server answered {_status(response)}.")
        tls = tls_of(response)
        shown = certificates_of(tls) if tls else []
        return Observation(
            "failed" if failure else "ok",
            failure,
            detail,
            measures={"total_seconds": attempt.seconds, "bytes": len(response.content), **days_left(shown, now())},
            facts={"status": str(response.status_code), **(facts_of(tls, shown) if tls else {})},
        )


def _fault_of(settings: HttpSettings, response: httpx.Response) -> tuple[str, str] | None:
    if not _is_expected(settings.statuses, response.status_code):
        return "http_status", f"The server answered {_status(response)}."
    for name, text in settings.expected_headers.items():
        if text not in response.headers.get(name, ""):
            return "http_header", f"The answer's header {name} does not have {text!r} in it."
    if settings.contains and settings.contains not in response.text:
        return "http_body", f"The answer does not have {settings.contains!r} in it."
    if settings.lacks and settings.lacks in response.text:
        return "http_body", f"The answer has {settings.lacks!r} in it."
    return None


def _is_expected(statuses: list[int], status: int) -> bool:
    return status in statuses if statuses else 200 <= status < 300


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()
