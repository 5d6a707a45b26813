"""The kind ``web-login``: can a user sign in, and how long does that take?"""

from datetime import timedelta
from typing import ClassVar, Literal, Self

import httpx
from pydantic import ConfigDict, Field, model_validator

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.exchange import HTTP_FAILURES, Url, client
from services.probes.kinds.login_flows import MOST_REDIRECTS, Client, Who, by_code, by_form, by_grant
from services.probes.kinds.redirects import follow
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.trust import Trust

LARGEST_PAGE = 2 * 1024 * 1024
NEEDED = {
    "form": ("url", "username", "password"),
    "password": ("token_url", "client_id", "username", "password"),
    "client_credentials": ("token_url", "client_id", "client_secret"),
    "authorization_code": ("url", "token_url", "client_id", "redirect_uri", "username", "password"),
}


class WebLoginSettings(Trust):
    """How to sign in, as whom, and what to look at then."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://viewer.north.example.org/login",
                    "username": "steward",
                    "password": "viewer-password",
                    "contains": "Worklist",
                }
            ]
        },
    )

    how: Literal["form", "password", "client_credentials", "authorization_code"] = Field(
        "form", description="a page's login form, or a grant of OAuth 2.0", examples=["authorization_code"]
    )
    url: Url | None = Field(
        None,
        description="page with the login form; for authorization_code the server's authorization endpoint",
        examples=["https://viewer.north.example.org/login"],
    )
    username: str | None = Field(None, max_length=200, description="who signs in", examples=["steward"])
    password: Secret | None = Field(None, description="secret with the password", examples=["north.viewer-password"])
    form: str | None = Field(
        None, max_length=100, description="id or name of the form; by default the first with a password"
    )
    username_field: str | None = Field(
        None, max_length=100, description="name of its field for the user; by default the first for text"
    )
    password_field: str | None = Field(
        None, max_length=100, description="name of its field for the password; by default the first of that type"
    )
    token_url: Url | None = Field(
        None, description="OAuth's token endpoint", examples=["https://login.north.example.org/token"]
    )
    client_id: str | None = Field(None, max_length=200, description="OAuth client", examples=["steward-probe"])
    client_secret: Secret | None = Field(None, description="secret of the OAuth client", examples=["north.viewer"])
    redirect_uri: str | None = Field(
        None,
        max_length=2000,
        pattern=r"^[a-z][a-z0-9+.-]*:[^\s]+$",
        description="where the server sends a user with the code, as it knows it; it is never asked for",
        examples=["https://viewer.north.example.org/callback"],
    )
    scope: str | None = Field(None, max_length=500, description="OAuth scopes", examples=["openid"])
    hosts: list[str] = Field(
        [],
        max_length=10,
        description="other hosts that the login may lead over, such as that of a single sign-on",
        examples=[["login.north.example.org"]],
    )
    page: Url | None = Field(
        None,
        description="page or interface to ask for once signed in; by default, what the form leads to",
        examples=["https://viewer.north.example.org/worklist"],
    )
    contains: str | None = Field(
        None, min_length=1, max_length=500, description="text that this page must have in it", examples=["Worklist"]
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        missing = [name for name in NEEDED[self.how] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.how} needs {', '.join(missing)}")
        if self.how != "form" and self.contains and not self.page:
            raise ValueError("contains needs a page, for example https://viewer.example.org/worklist")
        return self


class WebLogin(Asking[WebLoginSettings]):
    """A sign-in from the start, as a user without a session makes it."""

    name = "web-login"
    summary = "Signs in by a web page's form, or by OAuth 2.0, and asks for a page."
    settings = WebLoginSettings
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {"login_refused", "no_form"}
    interval = timedelta(minutes=5)
    measures: ClassVar = {
        "login_seconds": Measure("seconds", "higher", "until signed in", 5, 15, baseline=True),
        "page_seconds": Measure("seconds", "higher", "for the page then", baseline=True),
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | HTTP_FAILURES
        | {
            "login_refused": "the server does not let this user or client in",
            "no_form": "the login page has no form for a user and a password",
            "http_body": "the page behind the login lacks the text that it must have in it",
        }
    )

    async def ask(self, settings: WebLoginSettings, attempt: Attempt) -> Observation:
        """Signs in, looks at the page, and forgets the session."""
        async with client(attempt, settings, LARGEST_PAGE, {}) as speaking:
            inside = await _signed_in(speaking, settings, attempt)
            measures = {"login_seconds": attempt.seconds}
            if settings.page:
                inside = await follow(
                    speaking, speaking.build_request("GET", settings.page), MOST_REDIRECTS, _hosts(settings)
                )
                measures["page_seconds"] = round(attempt.seconds - measures["login_seconds"], 6)
        _refuse_wrong_page(settings, inside)
        return Observation("ok", None, "The user was signed in.", measures=measures)


async def _signed_in(
    speaking: httpx.AsyncClient, settings: WebLoginSettings, attempt: Attempt
) -> httpx.Response | None:
    """The page that the form leads to; with OAuth none, but whatever is asked for next carries the token."""
    who = None
    if settings.username is not None and settings.password is not None:
        fields = {"username": settings.username_field, "password": settings.password_field}
        who = Who(settings.username, attempt.secret(settings.password), settings.form, fields)
    if settings.how == "form" and who:
        return await by_form(speaking, settings.url or "", who, _hosts(settings))
    hidden = attempt.secret(settings.client_secret) if settings.client_secret else None
    oauth = Client(settings.client_id or "", hidden, settings.scope, settings.token_url or "")
    if settings.how == "authorization_code" and who:
        hosts = _hosts(settings)
        token = await by_code(speaking, oauth, settings.url or "", settings.redirect_uri or "", who, hosts)
    else:
        token = await by_grant(speaking, oauth, who if settings.how == "password" else None)
    speaking.headers["Authorization"] = f"Bearer {token}"
    return None


def _refuse_wrong_page(settings: WebLoginSettings, inside: httpx.Response | None) -> None:
    if inside is None:
        return
    if inside.status_code in (401, 403):
        raise failed("login_refused", f"The page behind the login answers {inside.status_code}: not signed in there.")
    if not inside.is_success:
        raise failed("http_status", f"The page behind the login answers {inside.status_code} {inside.reason_phrase}.")
    if settings.contains and settings.contains not in inside.text:
        raise failed("http_body", f"The page behind the login does not have {settings.contains!r} in it.")


def _hosts(settings: WebLoginSettings) -> frozenset[str]:
    """Where what we send may go: the hosts that the settings name."""
    urls = (settings.url, settings.token_url, settings.page)
    return frozenset([httpx.URL(url).host for url in urls if url] + settings.hosts)
