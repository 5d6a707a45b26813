"""web-login against an application with a form that is guarded against forgery, and an OAuth 2.0 server."""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.integration.probes.kinds.asked import SECRETS, Asked
from tests.integration.probes.kinds.serving import form_of, serving

FORM = """<html><form id="search"><input name="q"></form>
<form id="login" action="/login" method="post"><input type="hidden" name="csrf" value="{csrf}">
<input type="hidden" name="back" value="{back}"><input name="user"><input type="password" name="pass">
<button name="go" value="1">Sign in</button><button name="forgot" value="1">Forgot?</button></form></html>"""


@dataclass
class Site:
    """A viewer with a login form and an OAuth server, both with the same user."""

    csrf: dict[str, str] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    async def form(self, request: Request) -> Response:
        """A fresh form; its hidden field belongs to a cookie."""
        visitor, word = secrets.token_hex(8), secrets.token_hex(8)
        self.csrf[visitor] = word
        response = HTMLResponse(FORM.format(csrf=word, back=request.url.query.replace("&", "&amp;")))
        response.set_cookie("visitor", visitor)
        return response

    async def login(self, request: Request) -> Response:
        """Takes user and password with the form's own words only."""
        sent = await form_of(request)
        right = {
            "user": "ann",
            "pass": SECRETS["word"],
            "csrf": self.csrf.get(request.cookies.get("visitor", "")),
            "go": "1",
        }
        if {name: sent.get(name) for name in right} != right or "forgot" in sent:
            return await self.form(request)
        if "code_challenge" in sent.get("back", ""):
            return self._sent_back(sent["back"])
        session = secrets.token_hex(8)
        self.sessions.add(session)
        response = RedirectResponse("/worklist", 303)
        response.set_cookie("session", session)
        return response

    def _sent_back(self, query: str) -> Response:
        asked = dict(part.split("=", 1) for part in query.split("&"))
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return RedirectResponse(
            f"https://viewer.example.org/callback?{urlencode({'code': code, 'state': asked['state']})}", 303
        )

    async def worklist(self, request: Request) -> Response:
        """For those who are signed in."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.cookies.get("session") not in self.sessions and token not in self.tokens:
            return HTMLResponse("no", 401)
        return HTMLResponse("<h1>Worklist</h1>")

    async def token(self, request: Request) -> Response:
        """A token for each of the three grants."""
        sent = await form_of(request)
        if not self._is_granted(sent):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = secrets.token_hex(8)
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "token_type": "Bearer"})

    def _is_granted(self, sent: dict[str, str]) -> bool:
        if sent.get("grant_type") == "password":
            return (sent["username"], sent["password"]) == ("ann", SECRETS["word"])
        if sent.get("grant_type") == "client_credentials":
            return sent["client_secret"] == SECRETS["word"]
        asked = self.codes.pop(sent.get("code", ""), {})
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        return asked.get("code_challenge") == base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The site's address."""
    site = Site()
    routes = [
        Route("/", site.form),
        Route("/login", site.login, methods=["POST"]),
        Route("/worklist", site.worklist),
        Route("/token", site.token, methods=["POST"]),
    ]
    async with serving(routes) as address:
        yield address


def settings_of(how: str, url: str, known: str = "word") -> dict[str, object]:
    """Each way to sign in, with the page behind it."""
    user: dict[str, object] = {"how": how, "username": "ann", "password": known}
    client: dict[str, object] = {
        "how": how,
        "token_url": f"{url}/token",
        "client_id": "probe",
        "page": f"{url}/worklist",
    }
    return {
        "form": {**user, "url": f"{url}/"},
        "password": {**client, **user},
        "client_credentials": {**client, "client_secret": known},
        "authorization_code": {
            **client,
            **user,
            "url": f"{url}/",
            "redirect_uri": "https://viewer.example.org/callback",
            "scope": "openid",
        },
    }[how] | {"contains": "Worklist"}


WAYS = ["form", "password", "client_credentials", "authorization_code"]


@pytest.mark.parametrize("how", WAYS)
async def test_user_signs_in_and_sees_the_page(how: str, url: str, ask: Asked) -> None:
    """From a visitor without cookies to the page behind the login."""
    seen = await ask("web-login", settings_of(how, url))
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert seen.measures["login_seconds"] > 0


@pytest.mark.parametrize("how", WAYS)
async def test_wrong_password_is_a_refused_login(how: str, url: str, ask: Asked) -> None:
    """Told from a server that is down; the password is told to nobody."""
    seen = await ask("web-login", settings_of(how, url, "wrong"))
    assert (seen.outcome, seen.failure) == ("failed", "login_refused"), seen
    assert "sesame" not in repr(seen)


async def test_page_without_what_it_must_have_fails(url: str, ask: Asked) -> None:
    """Signed in, but not to what was expected."""
    seen = await ask("web-login", settings_of("form", url) | {"contains": "Reports"})
    assert (seen.outcome, seen.failure) == ("failed", "http_body")


async def test_form_that_goes_elsewhere_is_not_filled_in(ask: Asked) -> None:
    """The password goes to the hosts that the settings name."""

    async def trap(request: Request) -> Response:
        return HTMLResponse(
            '<form action="https://evil.example.org/"><input name=u><input type=password name=p></form>'
        )

    async with serving([Route("/", trap)]) as address:
        seen = await ask("web-login", {"url": address, "username": "ann", "password": "word"})
    assert (seen.outcome, seen.failure) == ("failed", "redirect")


@pytest.mark.parametrize(
    "page", ["<h1>Welcome</h1>", "<form><input type=text name=q></form>", "<form><input type=password name=p>"]
)
async def test_page_without_a_login_form_is_told(page: str, ask: Asked) -> None:
    """So that a page that was changed is not taken for a wrong password."""

    async def changed(request: Request) -> Response:
        return HTMLResponse(page)

    async with serving([Route("/", changed)]) as address:
        seen = await ask("web-login", {"url": address, "username": "ann", "password": "word"})
    assert (seen.outcome, seen.failure) == ("failed", "no_form")


@pytest.mark.parametrize("answer", ["[]", "{}", '{"access_token": 1}', '{"access_token": "a\\nb"}', "not json"])
async def test_token_that_is_none_is_told(answer: str, ask: Asked) -> None:
    """Success without a token is none."""

    async def broken(request: Request) -> Response:
        return Response(answer)

    async with serving([Route("/token", broken, methods=["POST"])]) as address:
        settings = {
            "how": "client_credentials",
            "token_url": f"{address}/token",
            "client_id": "p",
            "client_secret": "word",
        }
        seen = await ask("web-login", settings)
    assert (seen.outcome, seen.failure) == ("failed", "protocol")
