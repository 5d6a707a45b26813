"""Signing in and out over HTTP."""

import re
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from services.console.pages import page
from services.console.sign_in.visitor import COOKIE, OPEN_TO_ALL, SIGNED_IN, Visitor
from shared.errors import Forbidden, Unauthenticated, Unavailable
from shared.identity import Identity

HOME = "/console/"
SIGN_IN = "/console/sign-in"
TOKEN = re.compile(r"[A-Za-z0-9_.-]{1,3800}")
"""A JWT in its compact form (RFC 7515 §7.1), of a size that browsers still keep as a cookie (RFC 6265 §6.1)."""

router = APIRouter()


@router.get("/sign-in", dependencies=[OPEN_TO_ALL])
async def show_sign_in(ended: bool = False) -> Response:
    """The form; ``ended`` says that there was a sign-in that is no longer accepted."""
    return page("sign-in.html", problem="Your sign-in has ended. Sign in again." if ended else None)


@router.post("/sign-in", dependencies=[OPEN_TO_ALL])
async def sign_in(request: Request) -> Response:
    """Keeps an accepted token as the cookie. What is wrong with another one stands on the form."""
    _refuse_foreign_form(request)
    token = parse_qs((await request.body()).decode("ascii", "replace")).get("token", [""])[0].strip()
    if not TOKEN.fullmatch(token):
        return page("sign-in.html", 422, problem="That is no token: it must be one line of letters, digits and . _ -")
    identity: Identity = request.app.state.identity
    try:
        await identity.recognize(f"Bearer {token}")
    except Unauthenticated as exc:
        return page("sign-in.html", 401, problem=f"This token does not let you in: {exc.detail}.")
    except Unavailable:
        return page("sign-in.html", 503, problem="Tokens can't be checked now: the issuer's keys can't be read.")
    answer = RedirectResponse(HOME, 303)
    answer.set_cookie(COOKIE, token, path="/console", httponly=True, samesite="strict", secure=_is_https(request))
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, visitor: Annotated[Visitor, SIGNED_IN]) -> Response:
    """Forgets the token in this browser."""
    _refuse_foreign_form(request)
    return leading_to_sign_in()


def leading_to_sign_in(query: str = "") -> Response:
    """The way back to the form, without the cookie."""
    answer = RedirectResponse(SIGN_IN + query, 303)
    answer.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict")
    return answer


def _refuse_foreign_form(request: Request) -> None:
    """A form on another site could sign a person in as somebody else; browsers tell where it stood (Fetch Metadata)."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this form was sent from another site")


def _is_https(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
