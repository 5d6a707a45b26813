"""Ways to log in over the web: a page's form, and three grants of OAuth 2.0 (RFC 6749)."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from services.probes.kinds.attempt import failed
from services.probes.kinds.exchange import json_of
from services.probes.kinds.login_pages import Form, login_form
from services.probes.kinds.redirects import follow

MOST_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Who:
    """User and password, and in which form and fields they go."""

    username: str
    password: str
    form: str | None = None
    fields: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client."""

    client_id: str
    client_secret: str | None
    scope: str | None
    token_url: str


async def by_form(client: httpx.AsyncClient, url: str, who: Who, hosts: frozenset[str]) -> httpx.Response:
    """The page behind the login. Raises Ended when the login form comes back."""
    page = await follow(client, client.build_request("GET", url), MOST_REDIRECTS, hosts)
    inside = await follow(client, await _submission(client, page, who, hosts), MOST_REDIRECTS, hosts)
    if inside.status_code in (401, 403) or await login_form(inside.text, who.form) is not None:
        raise failed("login_refused", "The server shows the login form again: it refuses this user or password.")
    return inside


async def by_grant(client: httpx.AsyncClient, oauth: Client, who: Who | None) -> str:
    """An access token for the user's password (RFC 6749 §4.3), or for the client alone (§4.4)."""
    if who is None:
        return await _token(client, oauth, {"grant_type": "client_credentials"})
    grant = {"grant_type": "password", "username": who.username, "password": who.password}
    return await _token(client, oauth, grant)


async def by_code(
    client: httpx.AsyncClient, oauth: Client, url: str, redirect_uri: str, who: Who, hosts: frozenset[str]
) -> str:
    """An access token for a code (RFC 6749 §4.1) with PKCE (RFC 7636): the user signs in by the server's form."""
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    asked = {
        "response_type": "code",
        "client_id": oauth.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": _challenge(verifier),
        "code_challenge_method": "S256",
        **({"scope": oauth.scope} if oauth.scope else {}),
    }
    page = await _until_redirected(client, client.build_request("GET", url, params=asked), redirect_uri, hosts)
    if isinstance(page, httpx.Response):
        page = await _until_redirected(client, await _submission(client, page, who, hosts), redirect_uri, hosts)
    if isinstance(page, httpx.Response):
        raise failed("login_refused", "The server does not send us on after the login: it refuses user or password.")
    grant = {
        "grant_type": "authorization_code",
        "code": _code(page, state),
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return await _token(client, oauth, grant)


async def _until_redirected(
    client: httpx.AsyncClient, request: httpx.Request, redirect_uri: str, hosts: frozenset[str]
) -> httpx.Response | httpx.URL:
    """The first answer that is no redirect; or where we are sent with the code, which is never asked for."""
    for _ in range(MOST_REDIRECTS):
        response = await follow(client, request, 0)
        if response.next_request is None:
            return response
        request = response.next_request
        if str(request.url).startswith(redirect_uri):
            return request.url
        refuse_foreign(request.url, hosts)
    raise failed("redirect", f"The server redirects more than {MOST_REDIRECTS} times.")


def refuse_foreign(url: httpx.URL, hosts: frozenset[str]) -> None:
    """Raises Ended for a host that the settings don't name."""
    if url.host not in hosts or url.scheme not in ("http", "https"):
        raise failed("redirect", f"The server leads to {url.host or url.scheme}, which the settings don't name.")


async def _submission(
    client: httpx.AsyncClient, page: httpx.Response, who: Who, hosts: frozenset[str]
) -> httpx.Request:
    if page.status_code >= 400:
        raise failed("http_status", f"The login page answers {page.status_code} {page.reason_phrase}.")
    form = await login_form(page.text, who.form)
    if form is None:
        raise failed("no_form", "The login page has no form that asks for a password.")
    target = page.url.join(form.action) if form.action else page.url
    refuse_foreign(target, hosts)
    headers = {"Referer": str(page.url), "Origin": f"{page.url.scheme}://{page.url.netloc.decode()}"}
    return client.build_request("POST", target, data=_filled(form, who), headers=headers)


def _filled(form: Form, who: Who) -> dict[str, str]:
    try:
        return form.filled(who.username, who.password, who.fields or {})
    except LookupError as exc:
        raise failed("no_form", f"The login form has no field for the {exc.args[0]}.") from exc


async def _token(client: httpx.AsyncClient, oauth: Client, grant: dict[str, str]) -> str:
    if oauth.scope:
        grant["scope"] = oauth.scope
    grant["client_id"] = oauth.client_id
    if oauth.client_secret is not None:
        grant["client_secret"] = oauth.client_secret
    response = await client.post(oauth.token_url, data=grant, headers={"Accept": "application/json"})
    answer = _json(response)
    if response.status_code in (400, 401, 403):
        raise failed(
            "login_refused", f"The server gives no token: {str(answer.get('error', response.status_code))[:100]}."
        )
    if response.status_code != 200:
        raise failed("http_status", f"The token address answers {response.status_code} {response.reason_phrase}.")
    token = answer.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise failed("protocol", "The server answers with success, but without an access token.")
    return token


def _code(url: httpx.URL, state: str) -> str:
    if url.params.get("state") != state:
        raise failed("protocol", "The server sends us on with another state than ours.")
    if "code" not in url.params:
        raise failed("login_refused", f"The server gives no code: {url.params.get('error', 'no reason')[:100]}.")
    return str(url.params["code"])


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        answer = json_of(response)
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
