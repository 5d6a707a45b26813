"""Signing in: which tokens become a cookie, what the cookie is, and that no page is open without one."""

from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from services.console.__main__ import build_app
from services.console.settings import ConsoleSettings
from services.console.sign_in.visitor import refuse_undeclared
from shared.issuer import Issuer
from tests.integration.console.conftest import Visit

FORM = "/console/sign-in"
UNSIGNED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0."


async def test_an_accepted_token_becomes_a_cookie_that_opens_the_page(visit: Visit, issuer: Issuer) -> None:
    """HttpOnly, for this site and path only; Secure when the page came over TLS."""
    browser = visit()
    answer = await browser.post(FORM, data={"token": f" {issuer.token('alice', ['viewer:*'])}\n"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    cookie = answer.headers["set-cookie"].lower()
    for attribute in ("httponly", "samesite=strict", "path=/console"):
        assert attribute in cookie
    assert "secure" not in cookie
    assert "alice" in (await browser.get("/console/")).text


@pytest.mark.parametrize("how", [{"base_url": "https://steward"}, {"headers": {"X-Forwarded-Proto": "https"}}])
async def test_cookie_is_secure_over_tls(console: ASGIApp, issuer: Issuer, how: dict[str, Any]) -> None:
    """Whether TLS ends here or at a proxy."""
    browser = httpx.AsyncClient(transport=httpx.ASGITransport(console), **({"base_url": "http://steward"} | how))
    answer = await browser.post(FORM, data={"token": issuer.token("alice", ["viewer:*"])})
    assert "; secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("token", "status"),
    [("", 422), ("two words", 422), ("<script>", 422), ("a" * 4000, 422), ("x", 401), (UNSIGNED, 401), ("stw_x", 401)],
)
async def test_a_token_that_is_not_accepted_sets_no_cookie(visit: Visit, token: str, status: int) -> None:
    """The form says what is wrong, and does not repeat what was sent."""
    answer = await visit().post(FORM, data={"token": token})
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert "&lt;script" not in answer.text


async def test_expired_and_foreign_tokens_are_refused(visit: Visit, issuer: Issuer, tmp_path: Path) -> None:
    """By the issuer's key and the token's own end."""
    expired = issuer.token("alice", ["viewer:*"], timedelta(minutes=-5))
    foreign = Issuer(tmp_path / "other").token("alice", ["viewer:*"])
    for token in (expired, foreign):
        assert (await visit().post(FORM, data={"token": token})).status_code == 401


async def test_without_the_issuers_keys_nobody_is_let_in(tmp_path: Path) -> None:
    """And the form says that it is not the token's fault."""
    app = build_app(ConsoleSettings(oidc_jwks=str(tmp_path / "absent.json")))
    browser = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://steward")
    token = Issuer(tmp_path / "issuer").token("alice", ["viewer:*"])
    answer = await browser.post("/sign-in", data={"token": token})
    assert answer.status_code == 503
    assert "the issuer&#39;s keys can&#39;t be read" in answer.text


async def test_strangers_and_ended_sign_ins_are_led_to_the_form(visit: Visit, issuer: Issuer) -> None:
    """Who had a cookie is told that it has ended, and loses it."""
    answer = await visit().get("/console/")
    assert (answer.status_code, answer.headers["location"]) == (303, FORM)
    browser = visit()
    browser.cookies.set("steward_console", issuer.token("alice", ["viewer:*"], timedelta(minutes=-5)))
    answer = await browser.get("/console/")
    assert answer.headers["location"] == f"{FORM}?ended=true"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "Your sign-in has ended" in (await browser.get(answer.headers["location"])).text


async def test_signing_out_forgets_the_token(visit: Visit) -> None:
    """The next page is the form."""
    browser = visit("alice", "viewer:*")
    answer = await browser.post("/console/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, FORM)
    assert 'steward_console=""; ' in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", [FORM, "/console/sign-out"])
async def test_a_form_on_another_site_is_refused(visit: Visit, issuer: Issuer, path: str) -> None:
    """Nobody is signed in as somebody else, or out, by a page that he happens to look at."""
    foreign = {"Sec-Fetch-Site": "cross-site"}
    body = {"token": issuer.token("mallory", ["viewer:*"])}
    answer = await visit("alice", "viewer:*").post(path, data=body, headers=foreign)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/assets/x",
        "/components",
        "/ends-of-life",
        "/sign-in",
        "/asyncapi.json",
        "/static/console.css",
        "/nothing",
        "/health/live",
    ],
)
async def test_every_answer_forbids_framing_scripts_and_keeping(visit: Visit, path: str) -> None:
    """The policy allows our own style sheet and script, and nothing inline."""
    answer = await visit("alice", "viewer:*").get(f"/console{path}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


async def test_every_route_but_the_form_and_the_contracts_needs_a_sign_in(visit: Visit, tmp_path: Path) -> None:
    """All routes are asked for without a cookie; health and metrics, for those who run the service, are no pages."""
    app = cast(FastAPI, build_app(ConsoleSettings(oidc_jwks=str(tmp_path / "jwks.json"))))
    routes = {(method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods}
    is_open = set()
    for method, path in routes:
        asked = path.replace("{event_type}", "probe.result").replace("{asset_id}", "anything")
        answer = await visit().request(method, f"/console{asked}")
        if (answer.status_code, answer.headers.get("location")) != (303, FORM):
            is_open.add((method, path))
    assert routes - is_open == {
        ("GET", "/"),
        ("GET", "/assets/{asset_id}"),
        ("GET", "/components"),
        ("GET", "/ends-of-life"),
        ("POST", "/sign-out"),
    }
    assert is_open == {
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("GET", "/asyncapi.json"),
        ("GET", "/schemas/{event_type}.json"),
    }


def test_a_route_that_declares_nothing_does_not_start() -> None:
    """Forgetting is an error, not an open page."""
    router = APIRouter()

    @router.get("/secret")
    async def show_secret() -> str:
        return "all sites"

    nesting = APIRouter()
    nesting.include_router(router)
    for undeclared in (router, nesting):
        with pytest.raises(ValueError, match="does not declare"):
            refuse_undeclared(undeclared)
