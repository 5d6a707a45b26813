"""Who looks at a page: the caller behind the cookie. Every route declares whether it needs one."""

from dataclasses import dataclass

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from shared.errors import StewardError, Unauthenticated
from shared.grants import Caller
from shared.identity import Identity

COOKIE = "steward_console"


@dataclass(frozen=True)
class Visitor:
    """Somebody who has signed in. ``token`` goes along to the other services, which judge it themselves."""

    caller: Caller
    token: str


class NotSignedIn(StewardError):
    """There is no cookie, or its token is no longer accepted; the answer leads to the sign-in page."""


async def signed_in(request: Request) -> Visitor:
    """Declares that a route needs somebody who has signed in. Raises NotSignedIn."""
    token = request.cookies.get(COOKIE, "")
    identity: Identity = request.app.state.identity
    try:
        return Visitor(await identity.recognize(f"Bearer {token}"), token)
    except Unauthenticated as exc:
        raise NotSignedIn(exc.detail) from exc


async def open_to_all() -> None:
    """Declares that a route shows nothing of any site."""


SIGNED_IN = Depends(signed_in)
OPEN_TO_ALL = Depends(open_to_all)


def refuse_undeclared(router: APIRouter) -> None:
    """Raises ValueError when a route declares neither ``SIGNED_IN`` nor ``OPEN_TO_ALL``."""
    for route in router.routes:
        if not isinstance(route, APIRoute) or not any(
            dependency.call in (signed_in, open_to_all) for dependency in route.dependant.dependencies
        ):
            raise ValueError(f"{getattr(route, 'path', route)} does not declare whether it needs a sign-in")
